import Configuration
import Datasets
import Formats
import Platform
import Testing

@testable import Training

/// `sampling=epoch` reads every target of the training split; runs of the first versions go on in the order that they began.
@Suite("The order of epochs in a resume")
struct EpochOrderTests {
    private let fixture: TrainingFixture

    init() throws { fixture = try TrainingFixture() }

    private func train(to iterations: Int, _ sampling: BatchSampler.Order = .epoch, resume: Bool = true) throws
        -> Trainer
    {
        let trainer = try fixture.trainer {
            $0.sampling = sampling
            $0.maxIters = iterations
            $0.initFrom = resume ? "resume" : "scratch"
        }
        #expect(try trainer.run() == .finished)
        return trainer
    }

    private var statePath: String { fixture.outDir + "/checkpoints/latest/state.json" }

    /// Takes out what the first versions did not write.
    private func makeOld() throws {
        let members = try JSONValue(ofFile: statePath).objectValue ?? []
        let old = members.filter { !["epoch_covers_tail", "state_sha256"].contains($0.name) }
        #expect(old.count == members.count - 2)
        try AtomicFile.write(JSONValue.object(old).text(), to: statePath)
    }

    @Test("a run of this version covers the tail, and says so in its checkpoint")
    func new() throws {
        #expect(try train(to: 2, resume: false).step.sampler.epochCoversTail)
        #expect(try JSONValue(ofFile: statePath)["epoch_covers_tail"] == .bool(true))
        #expect(try train(to: 4).step.sampler.epochCoversTail)
        #expect(!fixture.notes.contains { $0.contains("sampling=epoch") })
        #expect(fixture.lines.last?.contains("repeat with: ") == true)
    }

    @Test("a run of an earlier version keeps its order, says so, and goes on with it at each resume")
    func old() throws {
        _ = try train(to: 2, resume: false)
        try makeOld()
        for iterations in [4, 6] {
            #expect(try !train(to: iterations).step.sampler.epochCoversTail)
            // 3000 tokens, so 2999 targets, in blocks of 8.
            #expect(
                fixture.notes.last {
                    $0.hasPrefix("the run goes on with sampling=epoch as an earlier version began it")
                }?.contains("leaves out the last 7 tokens") == true
            )
            #expect(try JSONValue(ofFile: statePath)["epoch_covers_tail"] == nil)
            #expect(fixture.lines.last?.contains("no one command repeats them") == true)
        }
    }

    @Test("what began with another order has no old one to keep, and its checkpoint says nothing of epochs")
    func changed() throws {
        _ = try train(to: 2, .random, resume: false)
        #expect(try JSONValue(ofFile: statePath)["epoch_covers_tail"] == nil)
        #expect(try train(to: 4).step.sampler.epochCoversTail)
        #expect(try JSONValue(ofFile: statePath)["epoch_covers_tail"] == .bool(true))
    }
}
