#!/usr/bin/env python3
"""Makes the models and cases of this folder.

pip install sentencepiece==0.2.3 transformers==4.57.1 protobuf; make.py writes beside itself.
"""
import json, os, random

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Tokenizer
from transformers import SiglipTokenizer

here = os.path.dirname(os.path.abspath(__file__))
random.seed(13)

RULES = [('ﬁ', 'fi'), ('①', '1'), ('Ａ', 'A'), ('ｶﾞ', 'ガ'), ('ｶ', 'カ'), ('\u3000', ' '), ('\t', ' '), ('\n', ' '),
         ('\u00a0', ' '), ('o\u0302', 'ô'), ('o\u0302\u0301', 'ố'), ('e\u0301', 'é'), ('\u200b', ''), ('™', 'TM'), ('½', '1 2'),
         ('\u0007', ''), ('…', '...'), ('\u1112\u1161\u11ab', '한')]
SENTENCES = [
    'a photo of a cat on the mat', 'two dogs run along the beach at night', 'a red bicycle leans against the wall',
    'the old lighthouse stands in the snow', 'a bowl of soup and bread on a wooden table', 'children play football in the park',
    'ein Hund läuft über die Straße', 'une forêt près de la rivière', 'el gato duerme en la ventana', 'kot śpi na żółtym fotelu',
    '猫が窓で寝ている', '雪の中の古い灯台', 'một con mèo trên bàn', 'собака бежит по пляжу', 'ô ố é fi ガ カ', '12 photos, 3 cats & 1 dog!',
] * 6
TEXTS = SENTENCES[:16] + [
    '', ' ', '   ', '\t\n', 'a', '  two  spaces  ', 'ﬁ①Ａ', 'ｶﾞｶ', 'o\u0302\u0301 o\u0302\u0301\u0323 e\u0301', '\u3000wide\u3000', 'x\u00a0y', '\u200bzero\u200b', '™½…',
    '한국어 한', 'こんにちは世界', '🦒🦒 giraffe', '</s> cat <unk> <pad>', '<s>cat</s>', '<sep> the cat<sep>', '▁cat ▁▁ dog', '<0x41>', 'zzzzzzzz', '!!!!!!!!!!!', 'qqqqqqqqqqq cat',
    'CAT Dog ΟΔΟΣ İ', 'a_b-c.d', 'cat' * 50, '\u0007bell', 'cat\u0007', '\x85next\x85', 'a\x00b', 'don\'t — “quote”', '  </s>  dog  <unk>x',
]


def train(name, **kw):
    rules = os.path.join(here, 'rules.tsv')
    with open(rules, 'w', encoding='utf-8') as f:
        for a, b in RULES:
            f.write(' '.join('%X' % ord(c) for c in a) + '\t' + ' '.join('%X' % ord(c) for c in b) + '\n')
    if kw.pop('rules', True):
        kw['normalization_rule_tsv'] = rules
    spm.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES), model_prefix=os.path.join(here, name), minloglevel=2,
                                   hard_vocab_limit=False, **kw)
    os.remove(rules)
    os.remove(os.path.join(here, name + '.vocab'))
    path = os.path.join(here, name + '.model')
    m = pb.ModelProto()
    m.ParseFromString(open(path, 'rb').read())
    m.trainer_spec.ClearField('normalization_rule_tsv') if hasattr(m.trainer_spec, 'normalization_rule_tsv') else None
    m.trainer_spec.ClearField('model_prefix')
    m.normalizer_spec.ClearField('normalization_rule_tsv')
    return path, m


def write(path, m):
    open(path, 'wb').write(m.SerializeToString())


write(*train('unigram', model_type='unigram', vocab_size=230, pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
write(*train('unigram_user', model_type='unigram', vocab_size=560, byte_fallback=True, user_defined_symbols=['<sep>', 'cat', 'the c', '▁▁'],
             treat_whitespace_as_suffix=True))
write(*train('bpe', model_type='bpe', vocab_size=200, add_dummy_prefix=False))
path, m = train('bpe_user', model_type='bpe', vocab_size=600, byte_fallback=True, user_defined_symbols=['<sep>', 'the c'], rules=False,
                normalization_rule_name='identity', remove_extra_whitespaces=False)
for i, p in enumerate(m.pieces):
    if p.type == 1 and len(p.piece) > 1 and i % 3 == 0:
        p.type = 5  # unused
write(path, m)

cases = []
for name in ['unigram', 'unigram_user', 'bpe', 'bpe_user']:
    path = os.path.join(here, name + '.model')
    sp = spm.SentencePieceProcessor(model_file=path)
    for t in TEXTS:
        ids = sp.encode(t)
        cases.append({'model': name, 'text': t, 'ids': ids, 'decoded': sp.decode(ids)})
    for _ in range(30):
        ids = [random.randrange(sp.get_piece_size()) for _ in range(random.randint(1, 9))]
        cases.append({'model': name, 'ids': ids, 'decoded': sp.decode(ids)})

siglip = SiglipTokenizer(os.path.join(here, 'unigram.model'))
for t in TEXTS:
    cases.append({'model': 'unigram', 'text': t, 'siglip': siglip(t, max_length=16, padding='max_length', truncation=True)['input_ids']})

# What the tokenizers library makes of the charsmap.
m = pb.ModelProto()
m.ParseFromString(open(os.path.join(here, 'unigram.model'), 'rb').read())
import base64
charsmap = base64.b64encode(m.normalizer_spec.precompiled_charsmap).decode()
t = Tokenizer.from_str(json.dumps({'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'pre_tokenizer': None, 'post_processor': None, 'decoder': None,
                                   'normalizer': {'type': 'Precompiled', 'precompiled_charsmap': charsmap}, 'model': {'type': 'WordLevel', 'vocab': {'a': 0}, 'unk_token': 'a'}}))
for x in TEXTS:
    cases.append({'model': 'unigram', 'text': x, 'precompiled': t.normalizer.normalize_str(x)})

with open(os.path.join(here, 'cases.jsonl'), 'w') as f:
    for c in cases:
        f.write(json.dumps(c) + '\n')
print(len(cases), 'cases')
