"""A simulated event camera."""

from dataclasses import dataclass

import numpy as np

from ..values import Events


@dataclass(frozen=True)
class CameraSettings:
    """Properties of the simulated sensor.

    Attributes:
        threshold: Contrast threshold *C*, a change of the logarithmic intensity.
        mismatch: Standard deviation of the threshold between pixels, relative to it.
        refractory: Time in microseconds after an event in which a pixel has no other.
        noise_rate: Rate in Hz of background events per pixel.
    """

    threshold: float = 0.2
    mismatch: float = 0.03
    refractory: int = 500
    noise_rate: float = 0.1


class EventCamera:
    r"""Camera whose pixels fire when their logarithmic intensity changes.

    A pixel has an event of polarity :math:`\pm` at the time at which
    :math:`\log I` differs from its value at the pixel's last event by
    :math:`\pm C` (Lichtsteiner et al. 2008; Rebecq et al. 2018, *ESIM*). Between
    frames, :math:`\log I` is interpolated linearly. Events during the refractory time
    are lost. Background events occur at random times.

    Args:
        settings: Properties of the sensor.
        rng: Source of the thresholds and the noise.
        frame: Intensity at the beginning, positive, ``[H, W]``.
        time: Time of the frame in microseconds.
    """

    def __init__(
        self,
        settings: CameraSettings,
        rng: np.random.Generator,
        frame: np.ndarray,
        time: int = 0,
    ) -> None:
        self.settings, self._rng, self._time = settings, rng, time
        spread = rng.normal(1.0, settings.mismatch, frame.shape)
        self._threshold = settings.threshold * np.maximum(spread, 0.1)
        self._log = np.log(frame.astype(np.float64))
        self._reference = self._log.copy()
        self._ready = np.full(frame.shape, time, np.int64)  # end of the refractory time

    def film(self, frame: np.ndarray, time: int) -> Events:
        """Return the events between the previous frame and this one.

        Args:
            frame: Intensity, positive, ``[H, W]``.
            time: Its time in microseconds, later than the previous one.

        Returns:
            Arrays ``t``, ``x``, ``y`` and ``p``, in temporal order.
        """
        log = np.log(frame.astype(np.float64))
        change = log - self._reference
        number = np.floor(np.abs(change) / self._threshold).astype(np.int64)
        rows, columns = np.nonzero(number)
        events = self._fire(log, time, rows, columns, number[rows, columns])
        noise = self._noise(time, frame.shape)
        merged = {k: np.concatenate([events[k], noise[k]]) for k in 'txyp'}
        self._log, self._time = log, time
        order = np.argsort(merged['t'], kind='stable')
        return {name: values[order] for name, values in merged.items()}

    def _fire(
        self,
        log: np.ndarray,
        time: int,
        rows: np.ndarray,
        columns: np.ndarray,
        number: np.ndarray,
    ) -> dict[str, np.ndarray]:
        start, end = self._log[rows, columns], log[rows, columns]
        reference = self._reference[rows, columns]
        step = self._threshold[rows, columns] * np.sign(end - reference)
        ready = self._ready[rows, columns]
        slope = np.where(end == start, 1.0, end - start)
        parts = []
        for k in range(1, int(number.max(initial=0)) + 1):
            share = np.clip((reference + k * step - start) / slope, 0, 1)
            t = self._time + np.rint(share * (time - self._time)).astype(np.int64)
            fires = (number >= k) & (t >= ready)
            ready = np.where(fires, t + self.settings.refractory, ready)
            parts.append((t[fires], rows[fires], columns[fires], step[fires] > 0))
        self._ready[rows, columns] = ready
        self._reference[rows, columns] = reference + number * step
        joined = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] or [
            np.empty(0, np.int64)
        ] * 4
        return dict(zip('tyxp', (a.astype(np.int64) for a in joined), strict=True))

    def _noise(self, time: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        duration = (time - self._time) / 1e6
        height, width = shape
        rate = self.settings.noise_rate * height * width
        number = int(self._rng.poisson(rate * duration))
        return {
            't': self._rng.integers(self._time, time, number),
            'x': self._rng.integers(0, width, number),
            'y': self._rng.integers(0, height, number),
            'p': self._rng.integers(0, 2, number),
        }
