"""Classifiers of scikit-learn with hyperparameters of their own each, scored by cross-validation.

To make it tunable its author wrote two lines: the import, and the search at the end.
"""

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from hpsearch import run_search

X, Y = load_iris(return_X_y=True)


def score(kind, c, gamma, trees, depth):
    models = {"svm": lambda: SVC(C=c, gamma=gamma), "forest": lambda: RandomForestClassifier(trees, max_depth=depth)}
    model = models[kind]()
    return cross_val_score(model, X, Y, cv=3).mean()


SPACE = {
    "kind": ["svm", "forest"],
    "kind=svm": {"c": "tag(log, interval(1e-3, 1e3))", "gamma": "tag(log, interval(1e-4, 1e1))"},
    "kind=forest": {"trees": "int(interval(2, 8))", "depth": [2, 4, None]},
}
OPTIONS = {"points": 100, "objective": "accuracy", "sampler": "random"}
if __name__ == "__main__":
    run_search(score, space=SPACE, overrides=["launcher.workers=2"], **OPTIONS)
