"""Project vectors onto a plane."""

import numpy as np
import numpy.typing as npt

from scripts.files import need

Floats2d = npt.NDArray[np.float32]


def project(rows: Floats2d, seed: int = 0) -> Floats2d:
    """Places in a plane, (n, 2), of vectors, (n, width): t-SNE (van der Maaten and Hinton 2008) by cosine, from PCA."""
    manifold = need("sklearn.manifold", "vectors")
    perplexity = min(30, (len(rows) - 1) / 3)
    tsne = manifold.TSNE(
        n_components=2,
        metric="cosine",
        init="pca" if rows.shape[1] > 1 else "random",
        perplexity=perplexity,
        random_state=seed,
    )
    return np.asarray(tsne.fit_transform(rows), "f4")
