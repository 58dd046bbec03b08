"""A model as plain data: its class by name, its settings, and which tensor is which parameter."""

import copy
import json

from svdicl_lite.classroom.codec import Broken

LINEAR = ("Linear", "Conv1D")


def describe_model(model, tree) -> dict:
    """What `build_model` and `apply_model` need; `tree(tensor)` gives the form in which it travels.

    Two names with one tree are one parameter, so a tied head stays tied, and comes apart when it
    does on the other side.
    """
    parameters = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        parameters[name] = tree(parameter)
    hooks = [tree(hook) for hook in _plain_hooks(model)]
    return {
        "class": type(model).__name__,
        "config": _settings(model),
        "parameters": parameters,
        "training": bool(model.training),
        "hooks": hooks,
    }


def build_model(content: dict, value, mine: list, may_build: bool):
    """A model of a description. Where none may be built (at the marker, of a learner's
    description), a copy of one of `mine` of the same class takes its parameters; a single layer is
    no more than its parameters, and may.
    """
    name = content["class"]
    if may_build or name in LINEAR:
        model = _new(name, content, value)
    else:
        like = [model for model in mine if type(model).__name__ == name]
        if not like:
            raise Broken(f"a model of class {name!r}, of which none was sent")
        model = copy.deepcopy(like[0])
        model._forward_hooks.clear()
    apply_model(model, content, value)
    return model


def apply_model(model, content: dict, value) -> None:
    """Gives a model the parameters, the plain settings and the hooks of a description."""
    import torch

    known = dict(model.named_parameters(remove_duplicate=False))
    made = {}
    for name, tree in content["parameters"].items():
        if name not in known:
            raise Broken("a parameter that the model does not have")
        key = str(tree)
        if key not in made:
            tensor = value(tree)
            same = _place(tensor) == _place(known[name])
            made[key] = known[name] if same else torch.nn.Parameter(tensor)
        owner, _, leaf = name.rpartition(".")
        model.get_submodule(owner)._parameters[leaf] = made[key]
    for key, setting in content["config"].items():
        config = getattr(model, "config", None)
        if hasattr(config, key) and not key.startswith("_") and _is_setting(setting):
            setattr(config, key, setting)
    model.train(bool(content["training"])) if model.training != content["training"] else None
    for tree in content["hooks"][len(_plain_hooks(model)) :]:
        hook = value(tree)
        model.register_forward_hook(lambda *_, hook=hook: hook(None, None, None) and None)


def _new(name, content, value):
    import torch
    import transformers

    with torch.random.fork_rng():
        if name in LINEAR:
            out, into = value(content["parameters"]["weight"]).shape
            if name == "Linear":
                return torch.nn.Linear(into, out, bias="bias" in content["parameters"])
            return transformers.pytorch_utils.Conv1D(into, out)
        kind = getattr(transformers, name, None)
        if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
            raise Broken(f"a model of class {name!r}, which is neither transformers' nor linear")
        config = kind.config_class.from_dict(content["config"])
        return kind(config).eval()


def _settings(model):
    config = getattr(model, "config", None)
    settings = config.to_dict() if hasattr(config, "to_dict") else {}
    return json.loads(json.dumps(settings, default=str))


def _is_setting(value):
    return value is None or isinstance(value, (bool, int, float))


def _plain_hooks(model):
    return list(model._forward_hooks.values())


def _place(tensor):
    storage = tensor.untyped_storage().data_ptr()
    return storage, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
