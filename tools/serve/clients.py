"""Asks a server for embeddings by the openai and infinity-client packages, and compares them
with what "serve vectors" printed, bit for bit.

    clients.py URL VECTORS.json
"""

import base64
import json
import struct
import sys

import openai
from infinity_client import Client
from infinity_client.api.default import embeddings, health, models
from infinity_client.models import OpenAIEmbeddingInputImage, OpenAIEmbeddingInputText
from infinity_client.models.open_ai_embedding_input_image_modality import OpenAIEmbeddingInputImageModality
from infinity_client.models.open_ai_embedding_input_text_modality import OpenAIEmbeddingInputTextModality

url, expected = sys.argv[1], json.load(open(sys.argv[2]))
files = [k for k in expected if k.endswith((".jpg", ".png"))]
texts = [k for k in expected if k not in files]
images = [base64.b64encode(open(f, "rb").read()).decode() for f in files]
compared = 0


def bits(row):
    return struct.pack(f"<{len(row)}f", *row)


def same(what, got, names):
    global compared
    assert len(got) == len(names), f"{what}: {len(got)} embeddings for {len(names)}"
    for row, name in zip(got, names):
        assert bits(row) == bits(expected[name]), f"{what}: {name[:60]!r} is not the encoder's"
        compared += 1


client = openai.OpenAI(base_url=url + "/v1", api_key="sk-live", max_retries=0)
assert [m.id for m in client.models.list()] == ["m"]
assert client.models.retrieve("m").owned_by == "goclip"
for form in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
    r = client.embeddings.create(model="m", input=texts, **form)
    if form.get("encoding_format") == "base64":  # which the package leaves as it comes
        r.data = [d.model_copy(update={"embedding": list(struct.unpack(f"<{len(b) // 4}f", b))}) for d in r.data for b in [base64.b64decode(d.embedding)]]
    same(f"openai {form}", [d.embedding for d in r.data], texts)
    assert r.usage.total_tokens > len(texts) and [d.index for d in r.data] == list(range(len(texts)))
for spelling, body in {
    "infinity": {"input": ["data:image/png;base64," + i for i in images], "extra_body": {"modality": "image"}},
    "jina": {"input": [{"image": i} for i in images]},
}.items():
    r = client.embeddings.create(model="m", **body)
    same(f"openai, {spelling}", [d.embedding for d in r.data], files)
for name, image in zip(files, images):
    parts = [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + image}}]
    r = client.post("/embeddings", cast_to=openai.types.CreateEmbeddingResponse,
                    body={"model": "m", "messages": [{"role": "user", "content": parts}], "encoding_format": "float"})
    same("openai, vllm", [d.embedding for d in r.data], [name])
r = client.embeddings.create(model="m", input=texts[0], dimensions=4)
assert len(r.data[0].embedding) == 4 and abs(sum(x * x for x in r.data[0].embedding) - 1) < 1e-6
for kind, call in {
    openai.NotFoundError: lambda: client.embeddings.create(model="none", input="a"),
    openai.BadRequestError: lambda: client.embeddings.create(model="m", input=[]),
    openai.AuthenticationError: lambda: openai.OpenAI(base_url=url + "/v1", api_key="sk-wrong", max_retries=0).models.list(),
}.items():
    try:
        call()
    except kind as e:
        assert e.body["message"], e
    else:
        raise AssertionError(f"no {kind.__name__}")

with Client(base_url=url, headers={"Authorization": "Bearer sk-live"}) as client:
    assert health.sync_detailed(client=client).status_code == 200
    assert [m.id for m in models.sync(client=client).data] == ["m"]
    body = OpenAIEmbeddingInputText(input_=texts, model="m", modality=OpenAIEmbeddingInputTextModality.TEXT)
    same("infinity-client", [d.embedding for d in embeddings.sync(client=client, body=body).data], texts)
    body = OpenAIEmbeddingInputImage(input_=["data:image/jpeg;base64," + i for i in images], model="m", modality=OpenAIEmbeddingInputImageModality.IMAGE)
    same("infinity-client, images", [d.embedding for d in embeddings.sync(client=client, body=body).data], files)
print(f"openai {openai.__version__} and infinity-client read {compared} embeddings, each with the encoder's bits")
