"""Renders the built-in chat templates, and two published ones, with transformers' apply_chat_template.

Versions: Python 3.11, transformers 5.17.0, Jinja2 3.1. Run from the repository's root, with node in the path:
    python test/engines/reference/make-templates.py SHARED_DATA
writes templates.json beside itself: [{template, start, end, messages, text}].
"""
import gzip, json, os, subprocess, sys

from transformers.utils.chat_template_utils import render_jinja_template

here = os.path.dirname(os.path.abspath(__file__))
printed = subprocess.run(
    ["node", "--input-type=module", "-e", "import('./engines/built-in-templates.ts').then(m => console.log(JSON.stringify(m.builtInTemplates)))"],
    check=True, capture_output=True, text=True, cwd=os.path.join(here, "..", "..", ".."))
built_in = {entry["name"]: entry["template"] for entry in json.loads(printed.stdout)}
tokens = {
    "llama-3": ("<|begin_of_text|>", "<|eot_id|>"), "chatml": ("", "<|im_end|>"), "gemma": ("<bos>", "<eos>"), "phi-3": ("<s>", "<|endoftext|>"),
}
published = {}
for name in ("llama3", "qwen2_5"):
    with gzip.open(os.path.join(sys.argv[1], "tokenizers", name, "tokenizer_config.json.gz")) as file:
        published[name] = json.load(file)

user = lambda text: {"role": "user", "content": text}
answer = lambda text: {"role": "assistant", "content": text}
system = lambda text: {"role": "system", "content": text}
conversations = [
    [user("Hi")],
    [system("Be brief."), user("Why?")],
    [user("Hi"), answer("Hello"), user("Why?")],
    [system("Be brief.\nQuote."), user("Hi"), answer("Hello"), user("Why?"), answer("So."), user("And\n\nthen?")],
    [system("  spaces  "), user(" lead and trail \n"), answer("\tanswer \n"), user("\n\n x ")],
    [user("</s><|im_end|>[INST] {{ messages }} {% raw %}"), answer("<|eot_id|>"), user("日本語 👩‍👩‍👧‍👦 é")],
    [user(""), answer("x"), user("x")],
]


def folded(messages):
    if messages[0]["role"] != "system":
        return messages
    return [user(messages[0]["content"] + "\n\n" + messages[1]["content"]), *messages[2:]]


cases = []
for name, template in [*built_in.items(), *((name, None) for name in published)]:
    start, end = tokens.get(name, ("<s>", "</s>"))
    if name in published:
        template = published[name]["chat_template"]
        start, end = published[name].get("bos_token") or "", published[name]["eos_token"]
    for messages in conversations:
        given = folded(messages) if name in ("mistral-v1", "gemma") else messages
        rendered, _ = render_jinja_template([given], chat_template=template, add_generation_prompt=True, bos_token=start, eos_token=end)
        cases.append({"template": name, "start": start, "end": end, "messages": messages, "text": rendered[0]})
for case in cases:
    if case["template"] in published:
        case["source"] = "published"
with open(os.path.join(here, "templates.json"), "w") as file:
    json.dump(cases, file, ensure_ascii=False, indent=0)
    file.write("\n")
print(len(cases))
