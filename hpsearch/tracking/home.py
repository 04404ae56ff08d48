"""The experiment of a study in a tracking store, which is found by the uids of the studies in it, not by its name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.inside import check_name
from hpsearch.tracking.identity import Identity, earlier, identity_of, lineage, name_at, place_of
from hpsearch.tracking.runs import SUPERSEDED

SENT_FROM = "hpsearch.study."
"""Begins the tags of an experiment that name the studies in it by their uid, and say where each is sent from."""
SHORT = 8
"""Digits of a uid that tell studies of one name apart."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundExperiment:
    """An experiment that is in the store.

    Attributes:
        id: of the experiment.
        name: as it is called now.
        deleted: whether the user has deleted it.
        tags: all of them.
    """

    id: str
    name: str
    deleted: bool
    tags: Mapping[str, str]

    @property
    def places(self) -> dict[str, str]:
        """Where the studies in it are sent from, by uid."""
        return {key.removeprefix(SENT_FROM): text for key, text in self.tags.items() if key.startswith(SENT_FROM)}

    def uids_called(self, name: str) -> set[str]:
        """Return the uids of the studies in it whose folder has a name."""
        return {uid for uid, place in self.places.items() if name_at(place) == name}


@dataclass(frozen=True, slots=True)
class Home:
    """Where the runs of a study belong: in the experiment that says so, whatever it is called by now.

    Attributes:
        name: of the study, or of the recipe that it is a stage of.
        places: where studies are sent from that belong there, by uid, in the order in which they are looked for: it,
            its recipe, and those that it superseded.
        owner: uid of the study called `name`.
    """

    name: str
    places: Mapping[str, str]
    owner: str

    @property
    def names(self) -> tuple[str, str]:
        """How a new experiment is called: by the name, and if another study's is called so, with the uid behind it."""
        return self.name, f"{self.name}@{self.owner[:SHORT]}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of an experiment that is made for it."""
        return {f"{SENT_FROM}{self.owner}": self.places[self.owner]}

    def chosen(self, found: Iterable[FoundExperiment]) -> FoundExperiment | None:
        """Return the first of the experiments that the study belongs in."""
        return next(filter(self._fits, found), None)

    def _fits(self, experiment: FoundExperiment) -> bool:
        there, (plain, own) = experiment.places, self.names
        if experiment.name == own or not there.keys().isdisjoint(self.places):
            return True
        from_here = not there or self.places[self.owner] in there.values()
        return experiment.name == plain and not experiment.deleted and from_here

    def lacking(self, uid: str, experiment: FoundExperiment) -> dict[str, str]:
        """Return the tags that an experiment lacks: of the study with this uid, and of others that belong there."""
        there = experiment.places
        new = {each: place for each, place in self.places.items() if each not in there or each == uid}
        return {f"{SENT_FROM}{each}": place for each, place in new.items() if there.get(each) != place}


def home_of(folder: Path, study: Mapping[str, Any], identity: Identity) -> Home:
    """Return where the runs of a study belong.

    Args:
        folder: of the study.
        study: what it recorded of itself, `within` by the uid that the recipe's runs carry.
        identity: who it is.
    """
    recipe = study.get("within")
    whole = folder if recipe is None else folder.with_name(recipe["name"])
    owner, name = (identity.uid, study["name"]) if recipe is None else (recipe["uid"], recipe["name"])
    places = {identity.uid: place_of(folder), owner: place_of(whole)}
    older = {uid: place_of(folder) for uid in earlier(study, identity) if uid not in places}
    return Home(name, {**places, **older}, owner)


def under(folder: Path, study: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """Return what a study recorded of itself, as its runs say it.

    Returns:
        The same with the uids that its runs and those of its recipe carry, and `SUPERSEDED` if the study beside it,
        which has its name now, was started in its place.
    """
    own: dict[str, Any] = {"uid": identity.uid}
    if (within := study.get("within")) is not None:
        recipe = identity_of(folder.with_name(within["name"]))
        own["within"] = {**within, "uid": recipe.uid if recipe.record == within["uid"] else within["uid"]}
    if study["name"] != folder.name and identity.uid in lineage(folder.with_name(check_name(study["name"]))):
        own[SUPERSEDED] = True
    return {**study, **own}
