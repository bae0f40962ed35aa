"""The numbers of runs in words: key -> name, unit, half a line about it."""

HIGHER, LOWER = "higher is better", "lower is better"

HIDDEN = "a rise by far more than the next number is the loss of a hidden message"
DISTURBED = "mean absolute difference it makes to translations"
VARIANTS = "of two translations of one input, on average: 0 where only one is ever made"
TARGETS = "of the targets of two inputs, on average: how much right answers differ at all"
MAPS = "in the maps of the extractor (like LPIPS, without its learned weights)"
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
    "best_l1": ("L1, best variant", "", f"of several translations the one nearest to the target; {LOWER}"),
    "diversity_l1": ("L1 between variants", "", VARIANTS),
    "targets_l1": ("L1 between targets", "", TARGETS),
    "perceptual": (
        "perceptual distance",
        "",
        f"of translations from their targets, {MAPS}; {LOWER}",
    ),
    "best_perceptual": (
        "perceptual, best variant",
        "",
        f"of several translations the one nearest to the target; {LOWER}",
    ),
    "diversity_perceptual": ("perceptual between variants", "", VARIANTS),
    "targets_perceptual": ("perceptual between targets", "", TARGETS),
    "cycle_l1": (
        "way back",
        "",
        f"mean absolute difference of images from what came back, translated there and back; {LOWER}",
    ),
    "cycle_psnr": ("way back, PSNR", "dB", f"peak signal to noise of what came back; {HIGHER}"),
    "cycle_perceptual": (
        "way back, perceptual",
        "",
        f"distance of images from what came back, {MAPS}; {LOWER}",
    ),
    "cycle_l1_quantised": (
        "way back after rounding",
        "",
        f"as way back, with the translation rounded to 8 bits before it; {HIDDEN}",
    ),
    "translation_l1_quantised": ("rounding alone", "", DISTURBED),
    "cycle_l1_blurred": (
        "way back after blur",
        "",
        f"as way back, with the translation blurred by 1 pixel before it; {HIDDEN}",
    ),
    "translation_l1_blurred": ("blur alone", "", DISTURBED),
    "cycle_l1_noisy": (
        "way back after noise",
        "",
        f"as way back, with noise of 0.02 on the translation before it; {HIDDEN}",
    ),
    "translation_l1_noisy": ("noise alone", "", DISTURBED),
    "back_as_before": (
        "way back read as before",
        "%",
        f"of images that came back, for which the extractor names the class it named before; {HIGHER}",
    ),
    "target_class": (
        "class of the target",
        "",
        "the one that counts below, by name or number: that of the domain's name, or what most of its real"
        " images are read as",
    ),
    "translated_as_target": (
        "translations read as the target",
        "%",
        f"that the extractor takes for that class; {HIGHER}",
    ),
    "real_as_target": (
        "real ones read as the target",
        "%",
        "the same of real images of that domain: what a perfect translation would reach",
    ),
    "source_as_target": ("inputs read as the target", "%", "the same of images before they are translated"),
    "back_as_source": (
        "way back read as the source",
        "%",
        f"of images that came back, that the extractor takes for the class of their domain; {HIGHER}",
    ),
    "source_as_source": ("inputs read as the source", "%", "the same of images before they are translated"),
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
