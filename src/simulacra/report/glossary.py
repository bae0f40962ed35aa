"""The numbers of runs in words: key -> name, unit, half a line about it."""

HIGHER, LOWER = "higher is better", "lower is better"

HIDDEN = "a rise by far more than the next number is the loss of a hidden message"
COVERAGE = "observed values inside the central interval"

# key -> (name, unit, half a line about it)
GLOSSARY = {
    "loss": (
        "loss",
        "",
        f"what training minimises, or of translations how far they miss, on average over examples; {LOWER}",
    ),
    "outputs": (
        "output of the discriminator",
        "",
        "on average over training examples and over samples; objectives differ in what they make of it",
    ),
    "gradients": ("norm of the gradient", "", "of each player; steep rises precede divergence"),
    "gradient": ("norm of the gradient", "", "before it is clipped"),
    "augment": ("augmentation", "", "how much of it the discriminator sees, adapted to how much it overfits"),
    "diversity": (
        "diversity",
        "",
        "mean distance of two samples over that of two held-out examples: 1 where they vary alike, 0 after a"
        " collapse",
    ),
    "accuracies": (
        "accuracy of the discriminator",
        "%",
        "what it takes for what it is; held-out examples far below training examples mean that it knows these"
        " by heart",
    ),
    "real_accuracy": ("training examples seen through", "%", "that the discriminator takes for real"),
    "fake_accuracy": ("samples seen through", "%", "that the discriminator takes for samples"),
    "held_out_accuracy": (
        "held-out examples seen through",
        "%",
        "that the discriminator takes for real; far fewer than training examples: it knows these by heart",
    ),
    "elbo": ("ELBO", "nats", f"lower bound on log p(x), reconstruction minus KL; {HIGHER}"),
    "reconstruction": (
        "reconstruction",
        "nats",
        f"log p(x | z) of an example under its own latent; {HIGHER}",
    ),
    "kl": ("KL", "nats", "KL(q(z | x) || p(z)), how much the latents say about the example"),
    "nll": ("negative log-likelihood", "nats", f"-log p(x) of an example; {LOWER}"),
    "mse": ("mean squared error", "", f"of reconstructions, for each number of an example; {LOWER}"),
    "psnr": ("PSNR", "dB", f"peak signal to noise of reconstructions or translations; {HIGHER}"),
    "ssim": (
        "SSIM",
        "",
        f"structural similarity of reconstructions or translations, 1 for equal pictures; {HIGHER}",
    ),
    "l1": ("L1 distance", "", f"mean absolute difference of translations from their targets; {LOWER}"),
    "diversity_l1": (
        "L1 between variants",
        "",
        "mean absolute difference of two translations of one input: 0 where only one is ever made",
    ),
    "cycle_l1": (
        "way back",
        "",
        f"mean absolute difference of images from their translations there and back; {LOWER}",
    ),
    "cycle_l1_quantised": (
        "way back after rounding",
        "",
        f"the same after the translation was rounded to 8 bits; {HIDDEN}",
    ),
    "translation_l1_quantised": ("rounding alone", "", "mean absolute difference it makes to translations"),
    "cycle_l1_blurred": (
        "way back after blur",
        "",
        f"the same after the translation was blurred by 1 pixel; {HIDDEN}",
    ),
    "translation_l1_blurred": ("blur alone", "", "mean absolute difference it makes to translations"),
    "cycle_l1_noisy": (
        "way back after noise",
        "",
        f"the same after the translation got noise of 0.02; {HIDDEN}",
    ),
    "translation_l1_noisy": ("noise alone", "", "mean absolute difference it makes to translations"),
    "perceptual": (
        "perceptual distance",
        "",
        "of translations from their targets in the maps of the extractor, like LPIPS without its learned"
        f" weights; {LOWER}",
    ),
    "diversity_perceptual": (
        "perceptual, between variants",
        "",
        "the same between two translations of one input: 0 where only one is ever made",
    ),
    "cycle_perceptual": (
        "perceptual distance, way back",
        "",
        "of images from their translations there and back in the maps of the extractor, like LPIPS without"
        f" its learned weights; {LOWER}",
    ),
    "translated_as_target": (
        "translations read as the target",
        "%",
        f"that the extractor takes for the domain they are to be of; {HIGHER}",
    ),
    "real_as_target": ("real ones read so", "%", "the same of real images of that domain"),
    "source_as_target": ("inputs read so", "%", "the same of the images before they were translated"),
    "back_as_source": (
        "way back read as the source",
        "%",
        f"of images there and back, that the extractor takes for what they were; {HIGHER}",
    ),
    "active_units": (
        "active units",
        "",
        "latent dimensions whose mean has a variance above 0.01 over the data",
    ),
    "rmse": (
        "root mean squared error",
        "",
        f"of the predicted mean, in the units of what is predicted; {LOWER}",
    ),
    "crps": (
        "CRPS",
        "",
        "continuous ranked probability score: the whole predicted distribution against the observed value, in"
        f" its units; the absolute error where nothing is left open; {LOWER}",
    ),
    "coverage_50": ("coverage of 50% intervals", "%", f"{COVERAGE}; 50 is right"),
    "coverage_80": ("coverage of 80% intervals", "%", f"{COVERAGE}; 80 is right"),
    "coverage_95": ("coverage of 95% intervals", "%", f"{COVERAGE}; 95 is right"),
    "accuracy": ("accuracy", "%", f"classes named right; {HIGHER}"),
    "calibration_error": (
        "calibration error",
        "%",
        "by how much the probability of the class named is off from how often it is right, on average"
        f" (ECE, 15 bins); {LOWER}",
    ),
    "nll_exact": (
        "exact negative log-likelihood",
        "nats",
        "-log p(y | x) under the distribution that the data were simulated from: the least there is, on"
        " average",
    ),
    "round_trip_error": (
        "round-trip error",
        "%",
        f"from the input to where a drawn answer leads back to, median, as a share of the size; {LOWER}",
    ),
    "round_trip_within_2_percent": (
        "round trips within 2%",
        "%",
        f"drawn answers that lead back to within 2% of the size; {HIGHER}",
    ),
    "round_trip_error_of_mean": (
        "round-trip error of the mean",
        "%",
        "the same for the mean of the answers, which need not be an answer itself",
    ),
    "round_trip_within_2_percent_of_mean": (
        "round trips of the mean within 2%",
        "%",
        "the same for the mean of the answers",
    ),
    "mean_distance": (
        "distance of the means",
        "",
        "of samples and data, in standard deviations of the data; 0 is best",
    ),
    "variance_ratio": (
        "variance ratio",
        "",
        "total variance of samples over that of data: 1 where they vary alike, 0 after a collapse",
    ),
    "modes_covered": (
        "modes covered",
        "",
        "modes of the data that get at least a tenth of the samples that are theirs by right; all is best",
    ),
    "within_4_sigma": (
        "samples at a mode",
        "%",
        f"within 4 standard deviations of one; {HIGHER}",
    ),
    "fid": (
        "Fréchet distance",
        "",
        f"between normals fitted to the features of samples and data (FID); {LOWER}",
    ),
    "kid": (
        "kernel distance",
        "",
        f"squared maximum mean discrepancy of the features (KID), 0 where they are alike; {LOWER}",
    ),
    "kid_error": ("its standard error", "", "of the kernel distance, over subsets"),
    "prdc": (
        "fidelity and variety",
        "",
        "precision: samples that lie among the data; recall: data that lie among the samples; density and"
        " coverage: the same, counted in neighbours",
    ),
    "precision": ("precision", "%", f"samples that lie among the data; {HIGHER}"),
    "recall": ("recall", "%", f"data that lie among the samples; {HIGHER}"),
    "density": ("density", "", "how densely data lie around samples; 1 where samples are data"),
    "coverage": ("coverage", "%", f"data with a sample among their nearest neighbours; {HIGHER}"),
    "inception_score": ("Inception score", "", f"classes sure in each sample and even over all; {HIGHER}"),
    "inception_score_std": ("its deviation", "", "of the Inception score, over splits"),
    "class_share_difference": (
        "largest difference of a class",
        "%",
        f"between its shares of samples and of data, as the extractor reads them; {LOWER}",
    ),
    "asked_accuracy": ("classes drawn as asked", "%", f"samples read as the class asked for; {HIGHER}"),
    "closer_to_train": (
        "closer to training data",
        "%",
        "samples nearer to a training example than that is to its own nearest; far above what is expected"
        " speaks of memorised examples",
    ),
    "closer_expected": (
        "expected of new data",
        "%",
        "the same for new examples, estimated from the training data",
    ),
    "duplicates": ("duplicates", "", "samples that are equal to another sample"),
    "copies": ("copies", "", "samples that are equal to a training example"),
    "knn_accuracy": (
        "nearest-neighbour accuracy",
        "%",
        f"classes told from the latents by neighbours; {HIGHER}",
    ),
    "linear_probe_accuracy": (
        "linear-probe accuracy",
        "%",
        f"classes told from the latents linearly; {HIGHER}",
    ),
}
