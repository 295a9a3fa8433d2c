"""Cases of the encoders: BERT and its kin as embedders of sentences and as cross-encoders. See make-logits.py."""

import torch
from prompts import ids

SIZES = {"vocab_size": 72, "max_position_embeddings": 48, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
LAYERS = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
BERT = {"model_type": "bert", **SIZES, **LAYERS, "type_vocab_size": 2, "pad_token_id": 0}
ROBERTA = {"model_type": "roberta", **SIZES, **LAYERS, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}
DISTILBERT = {
    "model_type": "distilbert",
    "vocab_size": 72,
    "max_position_embeddings": 48,
    "activation": "gelu",
    "dim": 32,
    "hidden_dim": 48,
    "n_layers": 2,
    "n_heads": 4,
    "sinusoidal_pos_embds": False,
    "pad_token_id": 0,
}
# The longest fills RoBERTa's 48 positions, of which two are for padding. No id of padding: transformers leaves it out of RoBERTa's positions.
PROMPTS = [[2 + i % 70 for i in ids(count, 70, seed)] for count, seed in ((46, 1), (11, 2), (1, 3))]
ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}


def rows_of(model, ids):
    """The last rows, whatever head the model has."""
    return model.base_model(torch.tensor([ids])).last_hidden_state[0]


def unit(vector):
    return (vector / vector.norm()).unsqueeze(0)


def mean(model, ids):
    return unit(rows_of(model, ids).mean(0))


def first(model, ids):
    return unit(rows_of(model, ids)[0])


def score(model, ids):
    """The first half of the ids is the first text."""
    given = {"input_ids": torch.tensor([ids])}
    if model.config.model_type == "bert":
        half = len(ids) // 2
        given["token_type_ids"] = torch.tensor([[0] * half + [1] * (len(ids) - half)])
    return model(**given).logits


def wider(around_spread):
    """Scores that differ by some units: a head's own numbers are larger."""

    def kinds(name, shape):
        return around_spread if name in ("classifier.weight", "classifier.out_proj.weight") else None

    return kinds


def old_names(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def embedder(config, output, **more):
    return {"auto": "AutoModel", "kind": "embedding", "config": config, "output": output, "prompts": PROMPTS, **more}


def reranker(config, made, **more):
    pairs = [[2 + i % 70 for i in ids(count, 70, seed)] for count, seed in ((44, 4), (13, 5), (30, 6), (2, 7))]
    return {
        "auto": "AutoModelForSequenceClassification",
        "kind": "score",
        "config": {**config, "architectures": [made], **ONE_LABEL},
        "output": score,
        "prompts": pairs,
        "first": [len(pair) // 2 for pair in pairs],
        "kinds": wider((0.0, 1.5)),
        **more,
    }


def pooling(**modes):
    return {"1_Pooling/config.json": {"word_embedding_dimension": 32, **modes}}


CASES = {
    "bert-mean": embedder(BERT, mean, without=[{"layer_norm_eps": 0.1}]),
    "bert-first-old-names": embedder(
        {**BERT, "hidden_act": "gelu_new"},
        first,
        auto="AutoModelForMaskedLM",
        rename=old_names,
        files=pooling(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False),
        without=[{"hidden_act": "relu"}],
    ),
    "bert-relu-one-segment": embedder({**BERT, "hidden_act": "relu", "type_vocab_size": 1}, mean),
    "roberta-mean": embedder(ROBERTA, mean, auto="AutoModelForMaskedLM", without=[{"layer_norm_eps": 0.1}]),
    "xlm-roberta-first": embedder(
        {**ROBERTA, "model_type": "xlm-roberta"},
        first,
        files={
            "modules.json": [
                {"idx": 0, "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
                {"idx": 1, "path": "pool", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
                {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.base.modules.normalize.Normalize"},
            ],
            "pool/config.json": {"embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": True},
        },
    ),
    "camembert-mean": embedder({**ROBERTA, "model_type": "camembert"}, mean),
    "distilbert-first": embedder(DISTILBERT, first, files=pooling(pooling_mode_cls_token=True)),
    "distilbert-mean-relu": embedder({**DISTILBERT, "activation": "relu"}, mean, auto="AutoModelForMaskedLM"),
    "bert-pairs": reranker(BERT, "BertForSequenceClassification"),
    "roberta-pairs": reranker(ROBERTA, "RobertaForSequenceClassification"),
    "xlm-roberta-pairs": reranker({**ROBERTA, "model_type": "xlm-roberta"}, "XLMRobertaForSequenceClassification"),
    "distilbert-pairs": reranker(DISTILBERT, "DistilBertForSequenceClassification"),
}
