import Platform
import Preparation
import Training

/// Says how far a preparation is, how fast it goes, and how long the rest will take.
final class PreparationMeter {
    private var stage: PreparationProgress.Stage?
    private var start = ContinuousClock.now
    /// Bytes that were done when the stage began.
    private var base = 0

    /// For a progress line: `tokenizing: 512 of 2048 MB (25%), 35.1 MB/s, 44 s left`.
    func text(_ progress: PreparationProgress) -> String {
        let now = ContinuousClock.now
        if progress.stage != stage { (stage, start, base) = (progress.stage, now, progress.doneBytes) }
        let (done, total) = (progress.doneBytes, progress.totalBytes)
        let (unit, scale) = max(done, total) < 10_000_000 ? ("kB", 1000) : ("MB", 1_000_000)
        let share = total > 0 ? " of \(total / scale) \(unit) (\(100 * done / total)%)" : " \(unit)"
        let place = "\(progress.stage.rawValue): \(done / scale)\(share)"
        // The first second says little about the rest.
        let seconds = (now - start) / .seconds(1)
        guard seconds >= 1, done > base else { return place }
        let speed = Double(done - base) / seconds
        let rest = total > done ? ", \(RunClock.text(seconds: Double(total - done) / speed)) left" : ""
        return "\(place), \(Numbers.fixed(speed / 1e6, 1)) MB/s\(rest)"
    }
}
