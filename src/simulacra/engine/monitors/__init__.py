"""What a training does beside playing: monitors, one a file."""
