import Testing
import Transformer

@testable import Training

@Suite("What a run remembers of evaluations and saves")
struct RunLedgerTests {
    @Test("The lowest validation loss is the best, and that of the iteration evaluated last is known")
    func best() {
        var ledger = RunLedger(resumed: nil, hasChangedCourse: false)
        #expect(ledger.isBest(5) && ledger.lastSaved == nil && ledger.bestValidationLoss == nil)
        ledger.evaluated(10, validationLoss: 3)
        #expect(ledger.validationLoss(at: 10) == 3 && ledger.validationLoss(at: 11) == nil)
        ledger.evaluated(20, validationLoss: 4)
        #expect(ledger.bestValidationLoss == 3 && ledger.validationLoss(at: 20) == 4)
        #expect(!ledger.isBest(3) && ledger.isBest(2))
        #expect(!ledger.isBest(.nan))
    }

    @Test("A best that could not be saved is not there to be beaten")
    func failedSave() {
        var ledger = RunLedger(resumed: nil, hasChangedCourse: false)
        ledger.evaluated(10, validationLoss: 3)
        ledger.saved(10)
        ledger.evaluated(20, validationLoss: 2)
        ledger.saveFailed(isBest: true)
        #expect(ledger.bestValidationLoss == 3 && ledger.lastSaved == 10)
        #expect(ledger.isBest(2.5))
        ledger.evaluated(30, validationLoss: 4)
        ledger.saveFailed(isBest: false)
        #expect(ledger.bestValidationLoss == 3)
    }

    @Test("Without a validation loss an iteration is evaluated, and none is the best")
    func withoutValidation() {
        var ledger = RunLedger(resumed: nil, hasChangedCourse: false)
        #expect(!ledger.isEvaluated(10) && !ledger.isBest(nil))
        ledger.evaluated(10, validationLoss: nil)
        #expect(ledger.isEvaluated(10) && !ledger.isEvaluated(11))
        #expect(ledger.bestValidationLoss == nil && ledger.validationLoss(at: 10) == nil)
    }

    @Test("A resume goes on with what the checkpoint knows")
    func resume() {
        let shape = GPTConfiguration(
            layerCount: 1,
            headCount: 1,
            embeddingSize: 2,
            blockSize: 2,
            vocabularySize: 2
        )
        var state = CheckpointState(iteration: 7, model: shape, dataset: "d", datasetHash: "", seed: 1)
        state.bestValidationLoss = 1.5
        var ledger = RunLedger(resumed: state, hasChangedCourse: true)
        #expect(ledger.lastSaved == 7 && ledger.bestValidationLoss == 1.5 && ledger.hasChangedCourse)
        #expect(ledger.validationLoss(at: 7) == nil)
        state.validationLoss = 2
        ledger = RunLedger(resumed: state, hasChangedCourse: false)
        #expect(ledger.validationLoss(at: 7) == 2)
    }
}
