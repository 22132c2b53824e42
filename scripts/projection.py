"""Project vectors onto a plane."""

import numpy as np
import numpy.typing as npt

Floats2d = npt.NDArray[np.float32]


def project(rows: Floats2d, seed: int = 0) -> Floats2d:
    """Positions in a plane, (n, 2), of vectors, (n, width).

    By t-SNE (van der Maaten and Hinton 2008) with cosine distances, which starts from PCA.
    """
    from sklearn.manifold import TSNE

    tsne = TSNE(
        n_components=2,
        metric="cosine",
        init="pca" if rows.shape[1] > 1 else "random",
        perplexity=min(30, (len(rows) - 1) / 3),
        random_state=seed,
    )
    return np.asarray(tsne.fit_transform(rows), "f4")
