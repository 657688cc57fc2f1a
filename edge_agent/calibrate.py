"""`hadir agent calibrate`: which threshold to ask for, and which enrolment photos to look at."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_agent.calibration_plot import plot_of
from edge_agent.calibration_report import Calibration, RefusedPhoto, as_json, lines_of
from edge_agent.core.calibration import ladder, operating_point, propose
from edge_agent.core.comparisons import Photo
from edge_agent.core.photo_faults import judge
from edge_agent.engines import NoEngineError, choose_engine
from edge_agent.enrolment import Refused
from edge_agent.people_folder import InputError, complain, impostors_in, no_photo, people_in, portrait
from edge_agent.ports import FaceAnalyser

PLOT = Path("calibration.svg")
Listed = tuple[str, bool, list[Path]]  # person, is enrolled, photos


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to an argparse parser's sub-parsers."""
    about = "propose a threshold from photos, and list photos to look at"
    parser = subparsers.add_parser("calibrate", help=about, description=about)
    given = os.environ.get("HADIR_MODELS")
    parser.add_argument(
        "--people", type=Path, required=True, help="a folder with one folder of photos a person"
    )
    parser.add_argument(
        "--impostors", type=Path, help="a folder of photos, or of folders, of people who are not enrolled"
    )
    parser.add_argument(
        "--models", type=Path, default=Path(given) if given else None, help="an InsightFace pack"
    )
    parser.add_argument(
        "--fmr", type=float, default=0.001, help="the false match rate to stay below (0.001 is 0.1 %%)"
    )
    parser.add_argument("--plot", type=Path, default=PLOT, help=f"where the plot is written ({PLOT})")
    parser.add_argument("--json", action="store_true", help="print one JSON line last, with every figure")
    parser.set_defaults(run=main)
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit status: 2 for input that cannot be used, 1 for an unwritten plot."""
    try:
        _check(args)
        listed: list[Listed] = [(person, True, photos) for person, photos in people_in(args.people)]
        if args.impostors:
            listed += [(person, False, photos) for person, photos in impostors_in(args.impostors)]
        _check_listed(args, listed)
        analyser = choose_engine(args.models, allow_dlib=True, allow_download=True, say=complain)
        calibration = calibrate(listed, analyser, args.fmr)
    except (InputError, NoEngineError) as error:
        complain(str(error))
        return 2
    if not calibration.people:
        complain(str(no_photo(args.people)))
        return 2
    print("\n".join(lines_of(calibration)))
    is_written = _write(args.plot, plot_of(calibration))
    if args.json:
        figures = as_json(calibration) | {"plot": str(args.plot) if is_written else None}
        print(json.dumps(figures, ensure_ascii=False, allow_nan=False), flush=True)
    return 0 if is_written else 1


def _check(args: argparse.Namespace) -> None:
    """Raise InputError for what can be known to be wrong before the long work begins."""
    if not 0 < args.fmr < 1:
        raise InputError("--fmr must be more than 0 and less than 1; 0.001 is one false match in a thousand.")
    if not args.plot.parent.is_dir():
        raise InputError(f"There is no folder {args.plot.parent} for the plot.")
    if args.plot.is_dir():
        raise InputError(f"--plot needs the name of a file, and {args.plot} is a folder.")
    if args.impostors and args.impostors.resolve() == args.people.resolve():
        raise InputError("--impostors is the folder of --people; impostors are people who are not enrolled.")


def _check_listed(args: argparse.Namespace, listed: Sequence[Listed]) -> None:
    if not any(photos for _, is_enrolled, photos in listed if is_enrolled):
        raise no_photo(args.people)
    if args.impostors and not any(photos for _, is_enrolled, photos in listed if not is_enrolled):
        raise InputError(f"No photo was found in {args.impostors}.")


def calibrate(listed: Sequence[Listed], analyser: FaceAnalyser, target: float) -> Calibration:
    """Return what photos tell about a recogniser's threshold, and about the photos.

    target is the FMR to stay below, 0..1. Photos that cannot be used are reported, and the rest goes on.
    """
    photos, refused = _embedded(listed, analyser)
    usable = {photo.subject for photo in photos}
    judgement = judge(photos, analyser.policy)
    counted, policy = judgement.comparisons, analyser.policy
    proposal = propose(counted, policy, target)
    thresholds = ladder(counted, policy.threshold, proposal.threshold)
    return Calibration(
        model_id=analyser.model_id,
        policy=policy,
        photos=tuple(photos),
        refused=tuple(refused),
        without_photo=tuple(
            person for person, is_enrolled, _ in listed if is_enrolled and (True, person) not in usable
        ),
        judgement=judgement,
        proposal=proposal,
        points=tuple(operating_point(counted, each, policy.margin) for each in thresholds),
    )


def _embedded(listed: Sequence[Listed], analyser: FaceAnalyser) -> tuple[list[Photo], list[RefusedPhoto]]:
    """Return the photos that can be used and those that cannot; the count is told on the way."""
    work = [(person, is_enrolled, path) for person, is_enrolled, paths in listed for path in paths]
    often = max(1, min(50, len(work) // 10))
    photos: list[Photo] = []
    refused: list[RefusedPhoto] = []
    for number, (person, is_enrolled, path) in enumerate(work, start=1):
        name = _shown(person, is_enrolled, path)
        outcome = portrait(path, analyser)
        if isinstance(outcome, Refused):
            refused.append(RefusedPhoto(name, outcome.reason, outcome.words))
            complain(f"{path} is not used: {outcome.words}")
        else:
            photos.append(
                Photo(name=name, person=person, embedding=outcome.embedding, is_enrolled=is_enrolled)
            )
        if number % often == 0 or number == len(work):
            complain(f"  {number} of {len(work)} photos")
    return photos, refused


def _shown(person: str, is_enrolled: bool, path: Path) -> str:
    if is_enrolled:
        return f"{person}/{path.name}"
    return f"impostor {path.name}" if person == path.name else f"impostor {person}/{path.name}"


def _write(path: Path, svg: str) -> bool:
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        complain(f"The plot cannot be written to {path} ({error.strerror}).")
        return False
    complain(f"The plot is in {path}.")
    return True
