"""`digits`: the 1,797 real handwritten digits that come with scikit-learn, 8x8 grey.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test part.
"""

import numpy as np

from simulacra.data.images.resize import resize_data
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import split_data


def load(name: str, argument: str, options: Options) -> Data:
    """All digits, split by content."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # 17 grey levels, 0 to 16, spread over 0 to 255
    x = np.rint(bunch.images[:, None] * (255 / 16)).astype(np.uint8)
    spec = DataSpec("image", x.shape[1:], tuple("0123456789"))
    data = split_data(name, Dataset(spec, x, bunch.target.astype(np.int64)))
    return resize_data(data, options.image_size, options.channels)
