"""``python -m nerf_talker.audio.pretrain FOLDER``: the whole recipe, resumable round by round."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from nerf_talker.audio.articulation_net import ArticulationNet
from nerf_talker.audio.pretrain.config import PretrainConfig
from nerf_talker.audio.pretrain.learning import aligned, learn
from nerf_talker.audio.pretrain.scores import score_table
from nerf_talker.audio.pretrain.sources import prepare
from nerf_talker.audio.pretrain.speech import Group, read_group, write_group
from nerf_talker.audio.pretrain.weights_file import write_weights
from nerf_talker.config import read_yaml


def is_held_out(group: Group, config: PretrainConfig) -> bool:
    """Whether training must never hear this group."""
    corpus = config.corpus
    if group.source == "espeak":
        return group.language in corpus.held_out_languages
    if group.source == "flite":
        return group.voice in corpus.held_out_voices
    return group.source == "prompts" and group.language in corpus.held_out_prompts


def main(argv: list[str]) -> int:
    """Prepare, learn, align, learn again, score, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m nerf_talker.audio.pretrain")
    parser.add_argument("folder", type=Path, help="where corpus, rounds and result are kept")
    parser.add_argument("--config", type=Path, help="YAML with changes to the recipe")
    given = parser.parse_args(argv)
    config = PretrainConfig.model_validate(read_yaml(given.config) if given.config else {})
    quiet = not sys.stderr.isatty()
    begun = time.perf_counter()
    torch.manual_seed(config.learn.seed)
    groups = [read_group(path) for path in prepare(given.folder / "corpus", config.corpus, quiet)]
    heard = [group for group in groups if not is_held_out(group, config)]
    net = ArticulationNet()
    first = given.folder / "round1.pt"
    if first.is_file():
        net.load_state_dict(torch.load(first, weights_only=True))
    else:
        synthesised = [group for group in heard if group.source != "prompts"]
        learn(net, synthesised, config.learn, config.learn.steps, 0.0, quiet)
        torch.save(net.state_dict(), first)
    timed = [aligned(net, group) if group.source == "prompts" else group for group in groups]
    for group in timed:
        if group.source == "prompts":
            (given.folder / "aligned").mkdir(exist_ok=True)
            write_group(given.folder / "aligned", group)
    known = [group for group in timed if not is_held_out(group, config)]
    share = config.learn.recorded_share
    learn(net, known, config.learn, config.learn.refine_steps, share, quiet)
    write_weights(given.folder / "articulation.safetensors", net)
    table = score_table(net, timed, lambda group: is_held_out(group, config))
    (given.folder / "scores.md").write_text(table, encoding="utf-8")
    sys.stdout.write(f"{table}\n{time.perf_counter() - begun:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
