import Platform
import TestSupport
import Testing

@testable import Training

@Suite("Where a restart begins")
struct RestartPlanTests {
    let folder: TemporaryFolder
    let outDir: String

    init() throws {
        folder = try TemporaryFolder()
        outDir = folder("out")
    }

    private func beginRun() throws {
        try FileSystem.createFolder(outDir)
        try AtomicFile.write("seed = 1\n", to: outDir + "/config.toml")
    }

    /// As much of a checkpoint as is looked at, in the place of any before it.
    private func save(iteration: Int) throws {
        let checkpoints = CheckpointStore(outputFolder: outDir)
        let path = checkpoints.path(iteration: iteration)
        try FileSystem.remove(path)
        try FileSystem.createFolder(path)
        try AtomicFile.write("{}", to: path + "/" + Checkpoint.stateFile)
        try FileSystem.remove(checkpoints.folder + "/latest")
        try FileSystem.createFolder(checkpoints.folder + "/latest")
        try AtomicFile.write("{}", to: checkpoints.folder + "/latest/" + Checkpoint.stateFile)
    }

    @Test("A run that has saved goes on from there")
    func saved() throws {
        let plan = RestartPlan(outDir: outDir)
        try beginRun()
        try save(iteration: 200)
        #expect(plan.beginning() == .checkpoint(iteration: 200))
        try save(iteration: 400)
        #expect(plan.beginning() == .checkpoint(iteration: 400))
    }

    @Test("A run that has saved nothing begins anew, in place of what it has written")
    func nothingSaved() throws {
        let plan = RestartPlan(outDir: outDir)
        #expect(plan.beginning() == .first(overwriting: false))
        try beginRun()
        #expect(plan.beginning() == .first(overwriting: true))
    }

    @Test("A checkpoint that was there before is not this run's, and is not given up either")
    func foreignRun() throws {
        try beginRun()
        try save(iteration: 1000)
        let plan = RestartPlan(outDir: outDir)
        #expect(plan.beginning() == .first(overwriting: false))
        try FileSystem.remove(outDir + "/checkpoints")
        #expect(plan.beginning() == .first(overwriting: false))
        try save(iteration: 1000)
        #expect(plan.beginning() == .checkpoint(iteration: 1000))
    }

    @Test("Progress is a checkpoint that was saved since the last start, and not one from before")
    func progress() throws {
        try beginRun()
        try save(iteration: 100)
        var plan = RestartPlan(outDir: outDir)
        let atFirst = plan.hasProgressed()
        #expect(plan.hasCheckpoint)
        try save(iteration: 200)
        let (afterSave, afterNothing) = (plan.hasProgressed(), plan.hasProgressed())
        try FileSystem.remove(outDir)
        let afterRemoval = plan.hasProgressed()
        #expect([atFirst, afterSave, afterNothing, afterRemoval] == [false, true, false, false])
        #expect(!plan.hasCheckpoint)
    }

    @Test("A run that was being replaced is one")
    func replaced() throws {
        try FileSystem.createFolder(outDir + "/.replaced")
        let plan = RestartPlan(outDir: outDir)
        try beginRun()
        #expect(plan.beginning() == .first(overwriting: false))
    }
}
