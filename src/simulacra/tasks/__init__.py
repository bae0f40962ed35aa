"""Tasks: what a person does with a run, each written once for command line, studio, report and notebooks."""
