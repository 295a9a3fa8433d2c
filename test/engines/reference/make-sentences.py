"""Texts through sentence-transformers, from folders as it saves them: its tokenizer, prompts, cuts, pooling and pairs.

Run by hand:  python make-sentences.py
Made with: Python 3.11, torch 2.13.0 (CPU), transformers 5.17.0, sentence-transformers 6.0.1.

Small models with the numbers of make-logits.py and the small tokenizers of make-tokenizers.py. Each case becomes
sentences/<case>.json: { versions, tokenizer, files, tensors, texts, query, passage } or { …, pairs, scores }. `files` are all
JSON files of the saved folder but the tokenizer's own, which is tokenizers/<tokenizer>.json.gz.
"""

import gzip
import importlib.util
import json
import pathlib
import tempfile

import sentence_transformers
import torch
from safetensors import safe_open
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

here = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("make_logits", here / "make-logits.py")
make_logits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_logits)
versions = f"{make_logits.versions}, sentence-transformers {sentence_transformers.__version__}"

LONG = "The supplier delivers the goods within thirty days, and the buyer inspects them when they arrive. "
TEXTS = [
    "",
    "a",
    "How long does the warranty of the pump last?",
    "The warranty lasts 14 months, from 3/2021 to 5/2022 (see p. 7).",
    "Le contrat peut être résilié avec un préavis de trois mois.",
    "Der Vertrag läuft automatisch weiter.",
    "Договор вступает в силу с момента подписания.",
    "この契約は三か月前の通知により解約できます。",
    "合同自签字之日起生效。",
    "يبدأ العمل بالعقد من تاريخ التوقيع.",
    "  two  spaces\tand\nlines ",
    "e\u0301le\u0300ve ½ ﬁne 🚀",
    LONG * 3,
]
# Shorter than half of what is taken: transformers cuts the longer of the two, Quoth always the passage.
QUESTIONS = ["How long does it last?", "pump", "契約"]
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 98,
}
BERT = {"model_type": "bert", "tokenizer": "wordpiece", "vocab_size": 1100, "pad_token_id": 0}
XLM_R = {
    "model_type": "xlm-roberta",
    "tokenizer": "xlm-r",
    "vocab_size": 1602,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}
NAMES = {
    "wordpiece": {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"},
    "xlm-r": {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"},
}


def tokenizer_of(name, max_tokens, folder):
    path = folder / "given.json"
    path.write_bytes(gzip.decompress((here / "tokenizers" / f"{name}.json.gz").read_bytes()))
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if name == "wordpiece" else ["input_ids", "attention_mask"]
    given = {"tokenizer_file": str(path), "model_max_length": max_tokens, "model_input_names": inputs}
    return PreTrainedTokenizerFast(**given, **NAMES[name])


def save(auto, settings, max_tokens, folder):
    """A hub folder with a model whose numbers are those of make-logits.py."""
    settings = {**settings, **SIZES}
    tokenizer = tokenizer_of(settings.pop("tokenizer"), max_tokens, folder)
    model = auto.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings)).float().eval()
    tensors = []
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            around, spread = make_logits.kind_of(name, tuple(tensor.shape))
            spread = 1.5 if name in ("classifier.weight", "classifier.out_proj.weight") else spread
            values = make_logits.numbers(name, tensor.numel(), around, spread).reshape(tensor.shape)
            tensor.copy_(torch.from_numpy(values))
            tensors.append({"name": name, "shape": list(tensor.shape), "around": around, "spread": spread})
    model.save_pretrained(folder / "hub")
    tokenizer.save_pretrained(folder / "hub")
    return str(folder / "hub"), tensors


def rounded(values):
    return [float(f"{value:.6g}") for value in values.flatten()]


def write(name, folder, tokenizer, tensors, result):
    paths = [path for path in sorted(folder.rglob("*.json")) if path.name != "tokenizer.json"]
    files = {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in paths}
    with safe_open(folder / "model.safetensors", "pt") as saved:
        assert sorted(saved.keys()) == sorted(tensor["name"] for tensor in tensors), saved.keys()
    case = {"versions": versions, "tokenizer": tokenizer, "files": files, "tensors": tensors, **result}
    path = here / "sentences" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(name, path.stat().st_size, "bytes", sorted(files))


def write_embedder(name, settings, pooling, max_tokens, prompts):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        hub, tensors = save(AutoModel, settings, max_tokens, folder)
        modules = [Transformer(hub), Pooling(SIZES["hidden_size"], pooling), Normalize()]
        SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder / "saved"))
        model = SentenceTransformer(str(folder / "saved"), device="cpu")
        vectors = {
            "query": [rounded(model.encode_query(text)) for text in TEXTS],
            "passage": [rounded(model.encode_document(text)) for text in TEXTS],
        }
        result = {"maxTokens": model.max_seq_length, "texts": TEXTS, **vectors}
        write(name, folder / "saved", settings["tokenizer"], tensors, result)


def write_reranker(name, settings, max_tokens):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        hub, tensors = save(AutoModelForSequenceClassification, {**settings, "num_labels": 1}, max_tokens, folder)
        CrossEncoder(hub, device="cpu", activation_fn=torch.nn.Identity()).save(str(folder / "saved"))
        model = CrossEncoder(str(folder / "saved"), device="cpu", activation_fn=torch.nn.Identity())
        pairs = [[question, passage] for question in QUESTIONS for passage in TEXTS]
        scores = [rounded(model.predict([pair]))[0] for pair in pairs]
        result = {"maxTokens": max_tokens, "pairs": pairs, "scores": scores}
        write(name, folder / "saved", settings["tokenizer"], tensors, result)


torch.set_num_threads(1)
with torch.no_grad():
    write_embedder("bert-mean", BERT, "mean", 40, {"query": "Represent this question: ", "document": ""})
    write_embedder("xlm-roberta-first", XLM_R, "cls", 48, {"query": "query: ", "passage": "passage: "})
    write_reranker("bert-pairs", BERT, 72)
    write_reranker("xlm-roberta-pairs", XLM_R, 80)
