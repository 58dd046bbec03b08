"""Objects that live on both sides of the pipe: arrays, tensors and models that a test hands to a
learner's function, and functions that either side may ask the other to call.

An array, a tensor or a model is sent once, under a number, and kept in step afterwards: every
message carries the bytes that changed since the last one. So a function of the learner that changes
a model in place changes the marker's copy of it, as if it ran there. Only bytes, shapes and names
travel; which classes may be built, the receiver decides.
"""

import hashlib
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

from svdicl_lite.classroom.codec import Broken, Decoder, Encoder, receive, send
from svdicl_lite.classroom.models_across import apply_model, build_model, describe_model

REMEMBERED = 10_000  # objects of one question; a learner's process cannot fill the marker's memory


@dataclass
class Live:
    """One object that both sides hold, and what the other side last knew of it."""

    kind: str  # array, storage or model
    held: object
    known: object = None


@dataclass(frozen=True)
class Foreign:
    """An object of the other side, by its number there. It holds nothing and does nothing."""

    number: int
    name: str

    def __bool__(self):
        raise TypeError(f"an object of the class {self.name} is no plain data")


class Mirror:
    """One end of the pipe. `call(number, args, kwargs)` asks the other end, `wrap(foreign, kind)`
    makes what stands here for one of its objects; `may_build` is False where models of the other
    side are only ever matched with models that were sent.
    """

    def __init__(self, pipe, wrap, may_build: bool, odd: bool):
        self.pipe, self.wrap, self.may_build, self.odd = pipe, wrap, may_build, odd
        self.forget()

    def forget(self) -> None:
        """Begins anew, with nothing that both sides hold."""
        self.live: dict[int, Live] = {}
        self.by_identity: dict[int, int] = {}  # id of an array or model → its number
        self.by_address: dict[int, int] = {}  # where a tensor's storage lies → its number
        self.served: dict[int, object] = {}  # what the other side may ask for
        self.numbers = count(1 + self.odd, 2)

    # Sending.

    def send(self, message: dict, **values) -> None:
        """Sends a message; `values` are encoded, and everything live that changed goes along."""
        encoder: Encoder = Encoder(lambda value: self._special(value, encoder))
        self.new: list[Any] = []
        body = {name: encoder.tree(value) for name, value in values.items()}
        changed = self._changed(encoder)
        send(self.pipe, {**message, "new": self.new + changed, "values": body}, encoder.blobs)

    def _special(self, value, encoder):
        if isinstance(value, Foreign) or hasattr(type(value), "foreign"):
            foreign = value if isinstance(value, Foreign) else value.foreign
            return {"yours": foreign.number}
        module = type(value).__module__.split(".")[0]
        kinds = {base.__module__.split(".")[0] for base in type(value).__mro__}
        if module == "numpy" and type(value).__name__ == "ndarray":
            return self._array(value, encoder)
        if "torch" in kinds:
            return self._of_torch(value, encoder)
        if type(value) is SimpleNamespace:
            return {"namespace": encoder.tree(vars(value), 1)}
        if hasattr(value, "name_or_path") and hasattr(value, "encode"):
            return {"tokenizer": str(value.name_or_path)}
        if "pandas" in kinds and hasattr(value, "to_numpy"):
            return self._special(value.to_numpy(), encoder)
        if hasattr(type(value), "__enter__") and hasattr(type(value), "__exit__"):
            return {"context": [self._serve(value), type(value).__name__[:60]]}
        if callable(value):
            return {"function": [self._serve(value), str(getattr(value, "__name__", ""))[:60]]}
        return None

    def _serve(self, value):
        for number, known in self.served.items():
            if known is value:
                return number
        number = next(self.numbers)
        self.served[number] = value
        return number

    def _array(self, array, encoder):
        if array.dtype.kind not in "biufc":
            return None
        if (number := self.by_identity.get(id(array))) is None:
            number = self._keep(Live("array", array))
            self.by_identity[id(array)] = number
            data = array.tobytes()
            self.live[number].known = _digest(data)
            content = [array.dtype.str, list(array.shape), encoder.blob(data)]
            self.new.append({"number": number, "kind": "array", "content": content})
        return {"live": number}

    def _of_torch(self, value, encoder):
        import torch

        if isinstance(value, torch.nn.Module):
            return self._model(value, encoder)
        if isinstance(value, torch.Tensor):
            return self._tensor(value, encoder)
        if isinstance(value, torch.dtype | torch.Size):
            return {"torch": [str(value).removeprefix("torch.")]} if _is_dtype(value) else None
        return None

    def _tensor(self, tensor, encoder):
        import torch

        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            tensor = tensor.detach().to_dense().cpu()
        tensor = tensor.detach().resolve_conj().resolve_neg()
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        number = self.by_address.get(address) if storage.nbytes() else None
        if number is None:
            flat = torch.empty(0, dtype=torch.uint8).set_(storage)
            number = self._keep(Live("storage", flat))
            self.by_address[address] = number
            data = flat.numpy().tobytes()
            self.live[number].known = _digest(data)
            content = encoder.blob(data)
            self.new.append({"number": number, "kind": "storage", "content": content})
        dtype = str(tensor.dtype).removeprefix("torch.")
        place = [tensor.storage_offset(), list(tensor.shape), list(tensor.stride())]
        return {"tensor": [number, dtype, *place]}

    def _model(self, model, encoder):
        if (number := self.by_identity.get(id(model))) is None:
            number = self._keep(Live("model", model))
            self.by_identity[id(model)] = number
            self.live[number].known = described = self._describe(model, encoder)
            self.new.append({"number": number, "kind": "model", "content": described})
        return {"live": number}

    def _describe(self, model, encoder):
        return describe_model(model, lambda part: self._special(part, encoder))

    def _keep(self, live):
        if len(self.live) > REMEMBERED:
            raise Broken(f"more than {REMEMBERED} arrays and models in one question")
        number = next(self.numbers)
        self.live[number] = live
        return number

    def _changed(self, encoder):
        """What the other side must be told: models first, since they may name new storages."""
        models, rest, before = [], [], len(self.new)
        for number, live in list(self.live.items()):
            if live.kind == "model":
                described = self._describe(live.held, encoder)
                if described != live.known:
                    live.known = described
                    models.append({"number": number, "kind": "model", "content": described})
        storages, self.new[before:] = self.new[before:], []
        for number, live in list(self.live.items()):
            if live.kind != "model":
                flat = live.held.numpy() if live.kind == "storage" else live.held
                data = flat.tobytes()
                if (digest := _digest(data)) != live.known:
                    live.known = digest
                    content = encoder.blob(data)
                    rest.append({"number": number, "kind": live.kind, "content": content})
        return storages + rest + models

    # Receiving.

    def receive(self, end: float = float("inf")) -> tuple[dict, dict]:
        """The next message and its values, after what is live was brought into step."""
        message, blobs = receive(self.pipe, end)
        decoder: Decoder = Decoder(blobs, lambda tag, content: self._come(tag, content, decoder))
        try:
            for entry in message.get("new", []):
                self._step(entry["number"], entry["kind"], entry["content"], decoder)
            values = {name: decoder.value(tree) for name, tree in message["values"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise Broken(f"a message of another form ({type(error).__name__})") from None
        return message, values

    def _step(self, number, kind, content, decoder):
        live = self.live.get(number)
        if live is None:
            self._create(number, kind, content, decoder)
        elif live.kind != kind:
            raise Broken("an object of another kind than before")
        elif kind == "model":
            apply_model(live.held, content, decoder.value)
            live.known = content
        else:
            data = decoder.blob(content)
            live.known = _digest(data)
            _overwrite(live, data)

    def _create(self, number, kind, content, decoder):
        if not isinstance(number, int) or number % 2 != (1 + (not self.odd)) % 2:
            raise Broken("a number that the other side may not give")
        if len(self.live) > REMEMBERED:
            raise Broken("too many objects")
        if kind == "array":
            held = Decoder(decoder.blobs).value({"array": content})
            self.by_identity[id(held)] = number
            known = _digest(held.tobytes())
        elif kind == "storage":
            import torch

            held = torch.frombuffer(bytearray(decoder.blob(content) or b"\0"), dtype=torch.uint8)
            self.by_address[held.untyped_storage().data_ptr()] = number
            known = _digest(held.numpy().tobytes())
        elif kind == "model":
            held = self._built(content, decoder)
            self.by_identity[id(held)] = number
            known = content
        else:
            raise Broken("an object of no known kind")
        self.live[number] = Live(kind, held, known)

    def _built(self, content, decoder):
        mine = [live.held for live in self.live.values() if live.kind == "model"]
        return build_model(content, decoder.value, mine, self.may_build)

    def _come(self, tag, content, decoder):
        if tag == "live":
            return self.live[content].held
        if tag == "tensor":
            return self._view(*content)
        if tag == "yours":
            return self.served[content]
        if tag in ("function", "context"):
            return self.wrap(Foreign(int(content[0]), str(content[1])), tag)
        if tag == "namespace":
            return SimpleNamespace(**decoder.value(content))
        if tag == "thing":
            return Foreign(0, str(content))
        if tag == "torch":
            import torch

            found = getattr(torch, str(content[0]))
            if isinstance(found, torch.dtype):
                return found
        if tag == "tokenizer" and self.may_build:
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(
                content, local_files_only=True, trust_remote_code=False
            )
        raise Broken("a value of no known form")

    def _view(self, number, dtype, offset, shape, stride):
        import torch

        dtype = getattr(torch, dtype)
        live = self.live[number]
        steps = [offset, *shape, *stride]
        if live.kind != "storage" or not isinstance(dtype, torch.dtype):
            raise Broken("a tensor without numbers")
        if len(shape) != len(stride) or not all(type(n) is int and n >= 0 for n in steps):
            raise Broken("a tensor of no known shape")
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if 0 not in shape and (last + 1) * dtype.itemsize > live.held.numel():
            raise Broken("a tensor that is larger than its numbers")
        empty = torch.empty(0, dtype=dtype)
        return empty.set_(live.held.untyped_storage(), offset, tuple(shape), tuple(stride))


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def _is_dtype(value):
    import torch

    return isinstance(value, torch.dtype)


def _overwrite(live, data):
    import numpy as np

    target = live.held.numpy() if live.kind == "storage" else live.held
    if len(data) != target.nbytes:
        raise Broken("an array that changed its size")
    target[...] = np.frombuffer(data, dtype=target.dtype).reshape(target.shape)
