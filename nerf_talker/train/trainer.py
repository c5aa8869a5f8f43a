"""The trainer: one command, all phases, exact resume."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from nerf_talker.errors import TrainingError
from nerf_talker.train import guard
from nerf_talker.train.audio_phase import close_mouth, fit_audio
from nerf_talker.train.avatar import describe, reference_poses, save_avatar
from nerf_talker.train.checkpoint import latest_checkpoint, remove_unfinished
from nerf_talker.train.compilation import is_of_compiler
from nerf_talker.train.curves import Curves
from nerf_talker.train.ema import MovingAverage
from nerf_talker.train.face_model import fit_face_model
from nerf_talker.train.interrupt import Interrupted, StopSignals
from nerf_talker.train.learner import RESEED, Learner
from nerf_talker.train.preparation import fit_statistics, know_face
from nerf_talker.train.preview import write_preview
from nerf_talker.train.snapshot import load_best, restore, save, save_best
from nerf_talker.train.torso_phase import fit_torso
from nerf_talker.train.validation import Validation
from nerf_talker.train.warm_start import warm_start

ESTIMATE_AFTER = 250  # steps taken here; the first ones have fewer rays and cold caches


class Trainer(Learner):
    """Trains one talker on one dataset, writing a run folder as it goes."""

    def fit(self) -> Path:
        """Train to the last step and write the avatar.

        Returns:
            The avatar's path. A run that was stopped goes on from its last checkpoint, with the
            losses it would have had.

        Raises:
            TrainingError: Numbers stayed non-finite, no head appeared, or memory ran out.
            AvatarError: The last checkpoint is damaged.
            Interrupted: A signal asked for the end; a checkpoint is written.
        """
        self._begun = time.perf_counter()
        self._curves: Curves | None = None
        drive = self.talker.learns_from
        self._validation = Validation.where_possible(self.dataset, self.config.unmix, drive)
        with StopSignals() as signals:
            remove_unfinished(self.run.checkpoints)
            newest = latest_checkpoint(self.run.checkpoints)
            if newest is None:
                self._fit_phases()
            else:
                restore(self, newest)
                if self._lacks_codes():
                    self._hear()
            if self.processes.first:
                self._curves = Curves.where_installed(self.run.root / "tensorboard", self.step)
            self._move()
            signals.patient = True
            self._learn(signals)
        self.average.copy_to(self.talker.learned())
        if self.config.keep == "best":
            load_best(self)
        close_mouth(self.talker, self.dataset)
        self._count_seconds()
        if self.processes.first:
            info = describe(self.talker, self.dataset, self.seconds, self.step, self.notes)
            face = fit_face_model(self.talker, self.dataset)
            poses = reference_poses(self.dataset)
            save_avatar(self.run.avatar, self.talker, poses, info, face)
        self.processes.wait()
        return self.run.avatar

    def _count_seconds(self) -> float:
        now = time.perf_counter()
        self.seconds, self._begun = self.seconds + now - self._begun, now
        return self.seconds

    def _fit_phases(self) -> None:
        fit_statistics(self.talker, self.dataset)
        if self.config.init is not None:
            warm_start(self.talker, Path(self.config.init))
            know_face(self.talker, self.dataset)  # the code's axes have turned
            self.average = MovingAverage(self.talker.learned(), self.config.ema_decay)
        self.notes = {}
        self._hear()
        given = (self.talker, self.dataset, self.config.torso, self.generator, self.quiet)
        self.notes["torso_error"] = fit_torso(*given)
        if self.processes.rank:  # each process draws its own rays
            seed = self.config.seed + RESEED * self.attempt + self.processes.rank
            self.generator.manual_seed(seed)
        else:
            self.run.keep_metrics_until(-1)
        self._record({"step": 0, "seconds": self._count_seconds(), **self.notes})
        save(self)

    def _hear(self) -> None:
        """Fit the audio encoder; keep what it says of the training range, and how well it fits."""
        heard = fit_audio(self.talker, self.dataset, self.config.audio, self.prior, self.say)
        self.objective.heard = heard.codes
        self.notes |= {f"audio_{name}": value for name, value in heard.notes.items()}

    def _lacks_codes(self) -> bool:
        """Whether the head is to hear what the checkpoint of an earlier version did not keep."""
        wanted = self.config.audio.heard > 0 and self.talker.learns_from == "landmarks"
        return wanted and self.objective.heard is None

    def _record(self, row: dict[str, Any]) -> None:
        if self.processes.first:
            self.run.log(row)
            if self._curves is not None:
                self._curves.log(row)

    def _learn(self, signals: StopSignals) -> None:
        """Steps until the last one; faults are met here."""
        total, first, begun = self.config.steps, self.step, time.perf_counter()
        with tqdm(total=total, initial=first, disable=self.quiet, unit="step") as bar:
            while self.step < total:
                self._advance_or_mend(bar, signals)
                bar.update(self.step - bar.n)
                if self.step == first + ESTIMATE_AFTER and self.processes.first:
                    each = (time.perf_counter() - begun) / ESTIMATE_AFTER
                    minutes = each * (total - self.step) / 60
                    self.say(f"{1000 * each:.0f} ms a step: about {minutes:.1f} minutes to go")
                stop = self.processes.any(signals.received is not None, self.device)
                if stop and self.step < total:
                    raise self._stopped(signals.received)

    def _stopped(self, number: int | None) -> Interrupted:
        """Save, and say where the run goes on."""
        # A GPU may be some steps past a fault that nobody has asked for yet.
        if not guard.finite_weights(self.talker):
            return Interrupted.unsaved(number)
        self._count_seconds()
        save(self)
        return Interrupted.after(self.step, number)

    def _advance_or_mend(self, bar: Any, signals: StopSignals) -> None:
        try:
            self._advance(bar)
        except guard.NonFiniteStep as fault:
            self._go_back(fault)
        except guard.EmptyScene as fault:
            self._start_again(fault)
        except (RuntimeError, MemoryError) as error:
            if guard.out_of_memory(error):
                self._shrink()
            elif not is_of_compiler(error):
                raise
            elif signals.received is not None:  # a terminal's Ctrl-C ends the compiler too
                raise Interrupted.unsaved(signals.received) from None
            else:
                reason = " ".join(str(error).split())[:200]
                raise TrainingError(
                    f"step {self.step}: torch could not compile the head ({reason}); the same "
                    "command goes on from the last checkpoint"
                ) from None

    def _advance(self, bar: Any) -> None:
        """One step and what follows it."""
        row = self._take_step()
        self._after_step()
        if self.step % self.config.validation_interval == 0 or self.step == self.config.steps:
            row |= self._validate()
        if self._logs(self.step) or "val_psnr" in row:
            row = self._settled(row)
            elapsed = self.seconds + time.perf_counter() - self._begun
            self._record({**row, "seconds": elapsed})
            bar.set_description(self.config.phase(self.step - 1), refresh=False)
            bar.set_postfix(rgb=f"{row['rgb']:.4f}", samples=f"{row['samples_per_ray']:.1f}")
        if self.step % self.config.checkpoint_interval == 0:
            self._count_seconds()
            save(self)

    def _after_step(self) -> None:
        occupancy = self.talker.occupancy
        if self.step % self.config.ema_interval == 0:
            self.average.update(self.talker.learned())
        due = self.step >= occupancy.config.warmup and self.step % occupancy.config.interval == 0
        if due and self.config.phase(self.step - 1) != "mouth":
            self.processes.largest(occupancy.score)
            occupancy.prune(self.step // occupancy.config.interval)
        if self.step % self.config.preview_interval == 0 and self.processes.first:
            write_preview(self)

    def _validate(self) -> dict[str, float]:
        """The score on the validation range; the best weights are kept where they are wanted."""
        if self._validation is None or not self.processes.first:
            return {}
        with self.average.applied(self.talker.learned()):
            score = self._validation.psnr(self.talker, self.autocast)
        if score > self.best:
            self.best = score
            if self.config.keep == "best":
                save_best(self)
        return {"val_psnr": score}

    def _go_back(self, fault: guard.NonFiniteStep) -> None:
        """To the last good state, with a lower learning rate.

        Raises:
            TrainingError: It did not help.
        """
        step, faults, rate = self.step, self.faults + 1, self.rate / 2
        if faults > guard.PATIENCE:
            raise TrainingError(
                f"step {step}: {fault.what} not finite, again after {guard.PATIENCE} returns to "
                f"the last good state with ever lower learning rates; check those frames, or "
                "train into a new folder with a lower train.net_learning_rate"
            )
        newest = latest_checkpoint(self.run.checkpoints)
        if newest is None:
            raise TrainingError(f"step {step}: {fault.what} not finite, and no checkpoint is left")
        self.processes.wait()
        restore(self, newest)
        self.faults, self.fault_step, self.rate = faults, max(step, self.fault_step), rate
        self.say(
            f"step {step}: {fault.what} not finite; back to step {self.step} with {rate:g} of the "
            "learning rate"
        )

    def _start_again(self, fault: guard.EmptyScene) -> None:
        """From the beginning with another seed, once.

        Raises:
            TrainingError: The second attempt found no head either.
        """
        if self.attempt:
            raise TrainingError(
                f"step {self.step}: the face is empty (opacity {fault.opacity:.2f}), with a second "
                "seed too; check the masks and poses in the dataset's report.html"
            )
        self.say(f"step {self.step}: the face is empty; once more with another seed")
        self.attempt += 1
        self.build()
        self._fit_phases()
        self._move()

    def _shrink(self) -> None:
        """Half the rays and patches from now on, those that refine the poses too.

        Raises:
            TrainingError: A step is small already.
        """
        self.optimiser.zero_grad(set_to_none=True)
        # One process alone cannot leave a step that the others are in.
        if self.rays() <= guard.FEWEST_RAYS or self.processes.world > 1:
            raise TrainingError(
                f"step {self.step}: memory does not suffice for {self.rays()} rays; close other "
                "programs, lower train.sampler.rays, or train on a machine with more"
            )
        self.share /= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.say(f"step {self.step}: memory ran out; on with {self.rays()} rays a step")
