"""Settings of the recipe."""

from __future__ import annotations

from nerf_talker.config import StrictModel


class CorpusConfig(StrictModel):
    """How much of which speech.

    Attributes:
        espeak_sentences: Sentences per espeak-ng language.
        flite_sentences: Sentences per flite voice.
        festival_sentences: Sentences per festival voice.
        held_out_languages: espeak-ng languages that training never hears.
        held_out_voices: flite voices that training never hears.
        held_out_prompts: Languages whose recorded prompts training never hears.
        seed: Of the sentences and manners.
    """

    espeak_sentences: int = 140
    flite_sentences: int = 100
    festival_sentences: int = 60
    held_out_languages: tuple[str, ...] = ("de", "pl", "tr")
    held_out_voices: tuple[str, ...] = ("rms",)
    held_out_prompts: tuple[str, ...] = ("it",)
    seed: int = 0


class LearnConfig(StrictModel):
    """How the encoder learns.

    Attributes:
        steps: Optimiser steps of the first round, on synthesised speech.
        refine_steps: Steps of the second round, with the recorded speech aligned by the first.
        batch: Excerpts per step.
        seconds: Length of an excerpt.
        learning_rate: At the start; falls to zero along a cosine.
        recorded_share: Share of recorded excerpts in the second round.
        seed: Of weights, excerpts and augmentation.
    """

    steps: int = 6000
    refine_steps: int = 4000
    batch: int = 16
    seconds: float = 4.0
    learning_rate: float = 2e-3
    recorded_share: float = 0.4
    seed: int = 0


class PretrainConfig(StrictModel):
    """The whole recipe."""

    corpus: CorpusConfig = CorpusConfig()
    learn: LearnConfig = LearnConfig()
