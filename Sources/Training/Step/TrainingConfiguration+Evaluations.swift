import Configuration

extension TrainingConfiguration {
    /// Evaluations from an iteration to the end, the one at the iteration itself included.
    public func evaluationCount(after iteration: Int) -> Int {
        guard iteration <= maxIters else { return 0 }
        let multiples = maxIters / evalInterval - (iteration + evalInterval - 1) / evalInterval + 1
        return multiples + (maxIters % evalInterval == 0 ? 0 : 1)
    }
}
