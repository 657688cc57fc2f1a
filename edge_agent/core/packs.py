"""The model packs that we know by name: their files, what they are for, and under which licence they come.

A SHA-256 stands here only when InsightFace's own server project (deepinsight/insightface,
server/backend/insightface_server/models/packages.py) and at least one independent project publish the same:
openfotos/openfotos-platform (docs/session6/benchmark-method.md) for det_2.5g and w600k_r50,
photoprism/photoprism (internal/ai/face/models.go) for w600k_r50 and w600k_mbf, utensils/mold
(crates/mold-inference, pulid_face_parity) for scrfd_10g_bnkps and glintr100. det_10g is scrfd_10g_bnkps under
another name, and buffalo_s holds the two files of buffalo_sc; det_500m was also measured on the file itself.
The SCRFD-2.5G that is found alone as scrfd_2.5g_kps.onnx (32d20c77…) is another export, not buffalo_m's file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a pack; its size in bytes is a hint at what is wrong, its SHA-256 is what counts."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Terms that somebody has to accept. `text` is in our words; `url` is where the owner's own stand."""

    licence_id: str
    version: int  # of our text: what was accepted can be looked up later
    short: str
    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPack:
    """A detector and a recogniser that belong together, downloaded as NAME.zip."""

    name: str
    zip_size: int  # bytes
    detector: ModelFile
    recogniser: ModelFile
    networks: str  # as people know them
    dimension: int  # of an embedding
    about: str
    licence: Licence

    @property
    def files(self) -> tuple[ModelFile, ModelFile]:
        return self.detector, self.recogniser


RESEARCH_ONLY = Licence(
    licence_id="insightface-research",
    version=1,
    short="research only",
    text="""\
The weights of this pack belong to InsightFace. They may be used for non-commercial research only.
Watching a company's entrance is not research: for that you need a licence from InsightFace, or another model.
Nobody warrants that the model is right about anybody. Whoever runs it answers for the law on face data.""",
    url="https://github.com/deepinsight/insightface#license",
)

_SCRFD_500M = ModelFile(
    "det_500m.onnx", 2_524_817, "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"
)
_SCRFD_2_5G = ModelFile(
    "det_2.5g.onnx", 3_292_009, "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9"
)
_SCRFD_10G_SHA256 = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
_MOBILEFACENET = ModelFile(
    "w600k_mbf.onnx", 13_616_099, "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f"
)
_RESNET50 = ModelFile(
    "w600k_r50.onnx", 174_383_860, "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
)
_RESNET100 = ModelFile(
    "glintr100.onnx", 260_665_334, "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"
)

PRODUCTION, SMALL = "buffalo_m", "buffalo_sc"

# In the order in which an agent that was given no pack takes what it finds; decision 4 says why.
_PACKS = (
    ModelPack(
        name="buffalo_m",
        zip_size=275_951_529,
        detector=_SCRFD_2_5G,
        recogniser=_RESNET50,
        networks="SCRFD-2.5G, ResNet-50",
        dimension=512,
        about="production",
        licence=RESEARCH_ONLY,
    ),
    ModelPack(
        name="buffalo_l",
        zip_size=288_621_354,
        detector=ModelFile("det_10g.onnx", 16_923_827, _SCRFD_10G_SHA256),
        recogniser=_RESNET50,
        networks="SCRFD-10G, ResNet-50",
        dimension=512,
        about="small faces, strong box",
        licence=RESEARCH_ONLY,
    ),
    ModelPack(
        name="antelopev2",
        zip_size=360_662_982,
        detector=ModelFile("scrfd_10g_bnkps.onnx", 16_923_827, _SCRFD_10G_SHA256),
        recogniser=_RESNET100,
        networks="SCRFD-10G, ResNet-100",
        dimension=512,
        about="most accurate, twice the work",
        licence=RESEARCH_ONLY,
    ),
    ModelPack(
        name="buffalo_s",
        zip_size=127_607_557,
        detector=_SCRFD_500M,
        recogniser=_MOBILEFACENET,
        networks="SCRFD-500M, MobileFaceNet",
        dimension=512,
        about="as buffalo_sc, larger zip",
        licence=RESEARCH_ONLY,
    ),
    ModelPack(
        name="buffalo_sc",
        zip_size=14_969_382,
        detector=_SCRFD_500M,
        recogniser=_MOBILEFACENET,
        networks="SCRFD-500M, MobileFaceNet",
        dimension=512,
        about="small boxes, the demo",
        licence=RESEARCH_ONLY,
    ),
)
Catalogue = Mapping[str, ModelPack]
CATALOGUE: Catalogue = {pack.name: pack for pack in _PACKS}


def packs_among(names: Collection[str], catalogue: Catalogue) -> tuple[ModelPack, ...]:
    """Return the packs whose files are all among these names; packs of the very same files count once."""
    found = {
        pack.files: pack for pack in catalogue.values() if {file.name for file in pack.files} <= {*names}
    }
    return tuple(found.values())
