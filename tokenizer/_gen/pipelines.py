#!/usr/bin/env python3
"""Writes ../testdata/pipelines.jsonl: small tokenizers of random parts, and what Hugging
Face's tokenizers library makes of texts with them.

usage: pip install tokenizers==0.23.3 && python3 pipelines.py
"""
import json
import os
import random
from tokenizers import Tokenizer

random.seed(13)
TEXTS = [
    "", " ", "a photo of a cat.", "It's the dogs' 3rd 12345th walk, isn't it?", "  two  spaces \t and\r\n\r\nlines  ",
    "[MASK]a [X] b[X]c  [MASK]  d", "Caf\u00e9 CAFE\u0301 \u0130stanbul \u039f\u0394\u039f\u03a3 Stra\u00dfe \ufb01n", "\u4f60\u597d\u4e16\u754c\u3002 \u30ab\u30bf\u30ab\u30ca\u306e\u30ac \u304b\u3099 \ud55c\uad6d\uc5b4",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "x\u00a0y\u3000z\u200bw\u0085v\u2028u", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001d518\u2460\u00bd\u0663",
    "\u2581a\u2581\u2581b _c_ <0x41>", "e\u0301\u0327\u0323x \u1ed9\u0323 \u212b\u2126", "\u0000\u0007\u00ad\ufeff\ue000\ufffd", "aaaa aab abcabcd bcd", "http://x.y/z?q=1&r=[2]#\u00a9 $5.00 -- ``q''",
]
NORMALIZERS = [
    {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Nmt"}, {"type": "ByteLevel"},
    {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Strip", "strip_left": False, "strip_right": True},
    {"type": "Prepend", "prepend": "\u2581"}, {"type": "Prepend", "prepend": "x y"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "<>"},
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": True, "lowercase": False},
]
PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\s+|\d", r".", r"(?<=a)b", r"(\w)\1", r"\d{1,3}(?=(?:\d{3})*\b)", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"\b\w+\b", r"^\s*|\s*$", r"\w+?", r"(a|b|ab)(c|bcd)*",
    r"(?>a+)b", r"[[:punct:]]+", r"[\w&&[^\d_]]+", r"(?:ab|a)*?c|.", r"x*", r"(?<!\d)\d{2}(?!\d)", r"\p{^L}+", r"\P{L}+", r"[^\W\d]+", r"\h+", r"(?i)stra\u00dfe|photo|\u03c9|k",
    r"a{2,}|b{,2}c|[x-z]{2}", r"\A.|.\z", r"(?m:.)+?", r"[\s\S]{1,7}", r"\S++(?=\s)|\s", r"(?:(?:a|e)+|[io]*)+", r"\B.\B", r"[\p{P}\p{S}]|[^\p{P}\p{S}\s]+", r"(a)|(b)|\2c",
    r"\x41|\x{e9}|\u4e16|\t|\n", r"[\]\-a]+|[a\]-]+", r"(?=(\w))\1\w",
]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
flip = lambda: random.random() < 0.5


def pre_tokenizer():
    if flip():
        return {"type": "Split", "pattern": {"Regex": random.choice(PATTERNS)}, "behavior": random.choice(BEHAVIORS), "invert": flip()}
    return random.choice([
        {"type": "BertPreTokenizer"}, {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "UnicodeScripts"}, {"type": "Digits", "individual_digits": flip()},
        {"type": "Punctuation", "behavior": random.choice(BEHAVIORS)}, {"type": "CharDelimiterSplit", "delimiter": random.choice(" -a\u2581")},
        {"type": "FixedLength", "length": random.randrange(1, 6)}, {"type": "Split", "pattern": {"String": random.choice([" ", "a", "", "ab"])}, "behavior": random.choice(BEHAVIORS), "invert": flip()},
        {"type": "ByteLevel", "add_prefix_space": flip(), "trim_offsets": True, "use_regex": flip()},
        {"type": "Metaspace", "replacement": random.choice("\u2581_"), "prepend_scheme": random.choice(["always", "first", "never"]), "split": flip()},
    ])


def some(part, key, most):
    n = random.randrange(most + 1)
    if n < 2:
        return part() if n else None
    return {"type": "Sequence", key: [part() for _ in range(n)]}


def added():
    contents = random.sample(["[MASK]", "[X]", "photo", "PHOTO", "cat", "a", "\u00e9", "\u0130", "<0x41>", "\u2581\u2581", "\u4f60"], random.randrange(4))
    return [{"id": 100 + i, "content": c, "single_word": flip() and flip(), "lstrip": flip() and flip(), "rstrip": flip() and flip(), "normalized": flip(), "special": flip()}
            for i, c in enumerate(contents)]


def model():
    chars = sorted(set("".join(TEXTS) + "abcdefghijklmnopqrstuvwxyz\u2581_\u0120") - {" "})[::5]
    k = random.randrange(5)
    if k == 0:  # the pieces themselves
        return {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False}
    if k == 1:
        vocab = ["[UNK]", "photo", "##oto", "ca", "##t", "##ts", "th", "##e"] + chars + ["##" + c for c in chars]
        return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20, "vocab": {w: i for i, w in enumerate(vocab)}}
    if k == 2:
        return {"type": "WordLevel", "unk_token": "<unk>", "vocab": {w: i for i, w in enumerate(["<unk>", "a", "photo", "cat", ".", "the", " "])}}
    merges = [("a", "b"), ("t", "h"), ("th", "e"), ("p", "h"), ("o", "t"), ("ot", "o"), ("ph", "oto"), ("a", "a"), ("c", "a"), ("\u2581", "a"), ("ab", "c")]
    fallback = random.random() < 0.2
    vocab = ["<unk>"] + (["<0x%02X>" % b for b in range(256)] if fallback else [])
    for w in list("abcdehopt\u2581") + chars + [a + b for a, b in merges]:
        if w not in vocab:
            vocab.append(w)
    return {"type": "BPE", "dropout": None, "unk_token": random.choice(["<unk>", None]), "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": flip(),
            "byte_fallback": fallback, "ignore_merges": flip(), "vocab": {w: i for i, w in enumerate(vocab)}, "merges": [list(m) for m in merges] if flip() else [a + " " + b for a, b in merges]}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, '..', 'testdata', 'pipelines.jsonl'), 'w', encoding='utf-8') as out:
        for _ in range(140):
            config = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added(), "normalizer": some(lambda: random.choice(NORMALIZERS), "normalizers", 3),
                      "pre_tokenizer": some(pre_tokenizer, "pretokenizers", 3), "post_processor": None, "decoder": None, "model": model()}
            tokenizer = Tokenizer.from_str(json.dumps(config))
            cases = []
            for text in random.sample(TEXTS, 4):
                e = tokenizer.encode(text)
                at = [len(text[:i].encode()) for i in range(len(text) + 1)]  # offsets in bytes
                cases.append({"text": text, "ids": e.ids, "tokens": e.tokens, "offsets": [[at[a], at[b]] for a, b in e.offsets], "decoded": tokenizer.decode(e.ids)})
            out.write(json.dumps({"tokenizer": config, "cases": cases}, ensure_ascii=False, separators=(",", ":")) + '\n')


if __name__ == '__main__':
    main()
