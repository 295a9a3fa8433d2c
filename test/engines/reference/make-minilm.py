"""Vectors of all-MiniLM-L6-v2 by sentence-transformers, for embedder.model.test.ts.

Run by hand:  python make-minilm.py FOLDER      FOLDER: config.json, tokenizer.json and model.safetensors of the package
that the catalogue names, as published (weights in float16; they are computed with in float32 here).
Made with: Python 3.11, torch 2.13.0 (CPU), transformers 5.17.0, sentence-transformers 6.0.1.

Writes minilm-vectors.json: { versions, dimension, maxTokens, texts: [{ text, numTokens, vector }] }, a vector as base64
of its float16 numbers, little-endian. The longest texts are cut by sentence-transformers at 512 tokens.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

ENGLISH = (
    "The supplier shall deliver the goods to the buyer's warehouse within thirty days of the order, and the buyer shall "
    "inspect them on arrival; defects must be reported in writing. "
)
GERMAN = (
    "Die Lieferung erfolgt innerhalb von dreißig Tagen nach Auftragseingang; Mängel sind unverzüglich schriftlich "
    "anzuzeigen, sonst gilt die Ware als genehmigt. "
)
JAPANESE = (
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"
)
TEXTS = [
    "",
    "a",
    "42",
    "The cat sits outside",
    "THE QUICK BROWN FOX jumps over the lazy dog.",
    "What is the capital of France?",
    "How long does the warranty last?",
    "The warranty of the pump lasts 14 months.",
    "Revenue for the three months ended September 30, 2023 was $1,234.5 million, up 8% year over year.",
    "part no. AX-4471/B rev.C, S/N 000123-77",
    "def main():\n    return x ** 2  # square",
    "   spaces   and\ttabs\nand lines   ",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "Le contrat peut être résilié avec un préavis de trois mois.",
    "Der Vertrag läuft automatisch um ein Jahr weiter, wenn er nicht gekündigt wird.",
    "Il fornitore garantisce la qualità dei prodotti per due anni.",
    "El plazo de entrega es de quince días hábiles.",
    "O preço inclui todos os impostos.",
    "Umowa wchodzi w życie z dniem podpisania.",
    "Sözleşme imza tarihinde yürürlüğe girer.",
    "Hợp đồng có hiệu lực kể từ ngày ký.",
    "Договор вступает в силу с момента подписания.",
    "Η σύμβαση τίθεται σε ισχύ με την υπογραφή της.",
    "この契約は三か月前の通知により解約できます。",
    "吾輩は猫である。名前はまだ無い。",
    "合同自签字之日起生效。",
    "계약은 서명한 날부터 효력이 발생합니다.",
    "يبدأ العمل بالعقد من تاريخ التوقيع.",
    "חוזה זה נכנס לתוקף ביום חתימתו.",
    "यह अनुबंध हस्ताक्षर की तिथि से प्रभावी होगा।",
    "ÅÄÖ åäö Ñandú façade naïve coöperate",
    "e\u0301le\u0300ve = élève",
    "🙂 emoji 🚀 and symbols ©®™ ½ ≤ ∑",
    ENGLISH * 2,
    ENGLISH * 4,
    GERMAN * 3,
    ENGLISH * 9,
    JAPANESE * 5,
    GERMAN * 7,
    ENGLISH * 30,
]

torch.set_num_threads(1)
folder = sys.argv[1]
transformer = Transformer(folder)
modules = [transformer, Pooling(transformer.get_embedding_dimension(), "mean"), Normalize()]
model = SentenceTransformer(modules=modules, device="cpu").float()
result = {
    "versions": f"torch {torch.__version__}, transformers {transformers.__version__}, "
    f"sentence-transformers {sentence_transformers.__version__}",
    "dimension": transformer.get_embedding_dimension(),
    "maxTokens": model.max_seq_length,
    "texts": [],
}
for text in TEXTS:
    vector = model.encode(text).astype("<f2")
    num_tokens = len(model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"])
    encoded = base64.b64encode(vector.tobytes()).decode()
    result["texts"].append({"text": text, "numTokens": num_tokens, "vector": encoded})
path = pathlib.Path(__file__).parent / "minilm-vectors.json"
path.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
print(result["versions"], result["maxTokens"], path.stat().st_size, "bytes")
