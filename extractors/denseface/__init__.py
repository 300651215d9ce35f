"""Denseface, the face encoder: DenseNet-BC trained on FER+."""

VERBS = {
    "train": "train Denseface on FER+; a killed training goes on where it was",
    "evaluate": "accuracy, recalls and confusion of weights on a split of FER+",
    "timeline": "draw the expressions that Denseface sees in films",
}
