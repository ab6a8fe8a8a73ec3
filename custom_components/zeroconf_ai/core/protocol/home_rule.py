"""`HomeRule`: the rule that keeps a request at home."""

from enum import StrEnum


class HomeRule(StrEnum):
    """Why a request stays at home. All rules have the same effect: backends outside are not used for it, whatever it asks for."""

    SWITCH = "switch"
    """The home-only switch, or `homeOnly` of the configuration: for all requests."""
    AGENT = "agent"
    """The option of a Home Assistant agent or AI task."""
    KEY = "key"
    """The option of an API key."""
    PICTURE = "picture"
    """It has a picture of a camera that has a label whose data stays at home."""
    ENTITY = "entity"
    """A tool read an entity that has a label whose data stays at home, in this conversation."""

    @property
    def words(self) -> str:
        """The rule as a clause that begins with a lower-case letter and has no full stop."""
        return _WORDS[self]

    @property
    def sentence(self) -> str:
        """The rule as the beginning of a sentence."""
        return self.words[0].upper() + self.words[1:]


_WORDS = {
    HomeRule.SWITCH: "the home-only switch is on",
    HomeRule.AGENT: "requests of this agent stay at home",
    HomeRule.KEY: "requests with this API key stay at home",
    HomeRule.PICTURE: "a picture in this request stays at home because of a label of its camera",
    HomeRule.ENTITY: "this conversation stays at home because a tool read an entity whose label keeps it there",
}
