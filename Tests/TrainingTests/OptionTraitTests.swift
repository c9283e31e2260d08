import Collectives
import Configuration
import Platform
import TestSupport
import Testing
import Transformer

@testable import Training

extension ConfigurationKey: CustomTestStringConvertible {
    /// For the lines of failed tests.
    public var testDescription: String { name }

    /// A value that is allowed and is not the default; nil for an option with one value only.
    fileprivate var otherArgument: String? {
        switch kind {
        case .integer: "3"
        case .number: "0.123"
        case .boolean: defaultArgument == "true" ? "false" : "true"
        case .text: ["ablate_heads": "0.1", "port_range": "3000-3001"][name] ?? "other"
        case .path: "other"
        case .choice(let choices): choices.first { $0 != defaultArgument }
        }
    }
}

/// What an option's traits say is what resumes, jobs and commands do.
@Suite("Traits of options")
struct OptionTraitTests {
    private let defaults = TrainingConfiguration()

    /// Built-in defaults, but for one option.
    private func changed(_ key: ConfigurationKey) throws -> TrainingConfiguration? {
        guard let argument = key.otherArgument else { return nil }
        var values = defaults
        try key.set(argument: argument, in: &values)
        return values
    }

    /// The state of a run with built-in defaults, but for one option.
    private func state(changing key: ConfigurationKey? = nil) -> CheckpointState {
        var state = CheckpointState(
            iteration: 1,
            model: defaults.model(vocabularySize: 16),
            options: ResolvedConfiguration(defaults).arguments(named: ConfigurationKey.all),
            dataset: "letters",
            datasetHash: "abc",
            seed: 1
        )
        if let key { state.options[key.name] = "another value" }
        return state
    }

    @Test("A resume names a change of the course or the horizon, and no other", arguments: ConfigurationKey.all)
    func named(key: ConfigurationKey) {
        let changes = ResumePlan.changedOptions(defaults, state(changing: key))
        let isNamed = [.course, .horizon].contains(key.effect)
        #expect(changes.map(\.key.name) == (isNamed ? [key.name] : []))
        #expect(changes.allSatisfy { $0.text == "\(key.name)=\(key.argument(in: defaults)) (was another value)" })
    }

    @Test("A change of dtype is a change of course, which a resume names")
    func dataType() {
        var state = state()
        state.options["dtype"] = "bfloat16"
        let changes = ResumePlan.changedOptions(defaults, state)
        #expect(changes.map(\.text) == ["dtype=float32 (was bfloat16)"])
        #expect(changes.map(\.key.effect) == [.course])
    }

    @Test("A resume refuses another shape, and takes it from the checkpoint", arguments: ConfigurationKey.shape)
    func refused(key: ConfigurationKey) throws {
        let fixture = try TrainingFixture()
        try fixture.run { $0.maxIters = 1 }
        let value = key.name == "n_head" || key.name == "n_embd" ? "4" : try #require(key.otherArgument)
        // Sinks need a window.
        let others = key.name == "attention_sinks" ? [("attention_window", "4")] : []
        let sources = ConfigurationSources(
            options: [("init_from", "resume"), ("out_dir", fixture.outDir)] + others + [(key.name, value)]
        )
        let asked = try sources.resolve()
        let error = #expect(throws: UserError.self) {
            _ = try ResumePlan(asked, store: fixture.store, dataset: fixture.dataset) { _ in }
        }
        #expect(error?.message.contains("\(key.name)=\(value) cannot change in a resume") == true, "\(error as Any)")

        var preset = fixture.configuration
        try key.set(argument: value, in: &preset)
        let plan = try ResumePlan(ResolvedConfiguration(preset), store: fixture.store, dataset: fixture.dataset) { _ in
        }
        #expect(key.argument(in: plan.configuration.values) == key.argument(in: fixture.configuration))
    }

    @Test("The shape of a model is what its options with that effect say", arguments: ConfigurationKey.all)
    func shape(key: ConfigurationKey) throws {
        let model = defaults.model(vocabularySize: 16)
        guard let other = try changed(key)?.model(vocabularySize: 16) else { return }
        // Dropout and the form of attention's scores are no matter of the shape.
        let isOfModel = key.effect == .shape || ["dropout", "attention"].contains(key.name)
        #expect((other != model) == isOfModel)
        let given = TrainingConfiguration(shapeOf: other)
        #expect(defaults.shapeDifferences(from: given).map(\.name) == (key.effect == .shape ? [key.name] : []))
    }

    @Test("Ranks must agree in what is the job's, and may differ in what is a rank's", arguments: ConfigurationKey.all)
    func agreement(key: ConfigurationKey) throws {
        guard let other = try changed(key) else { return }
        let results = RankThreads.run(2) { communicator in
            let values = communicator.rank == 0 ? self.defaults : other
            try JobAgreement(ResolvedConfiguration(values), version: "1").check(communicator)
        }
        for result in results {
            switch key.scope {
            case .rank: #expect(throws: Never.self) { try result.get() }
            case .job:
                let error = #expect(throws: JobError.self) { try result.get() }?.error
                #expect(error?.message.hasPrefix("\(key.name) differs between the ranks of this job") == true)
            }
        }
    }

    @Test("A rank takes over rank 0's options, except its own", arguments: ConfigurationKey.all)
    func adopted(key: ConfigurationKey) throws {
        guard let other = try changed(key) else { return }
        let dataset = try TrainingFixture().dataset
        let start = StartingPoint(ResolvedConfiguration(other), vocabularySize: 16, resumed: nil, dataset: dataset)
        var configuration = ResolvedConfiguration(defaults)
        start.adopt(into: &configuration)
        #expect(configuration.values == (key.scope == .job ? other : defaults))
    }

    @Test("The command that repeats a run leaves out how ranks reached each other", arguments: ConfigurationKey.all)
    func repeated(key: ConfigurationKey) throws {
        guard var other = try changed(key), key.name != "preset" else { return }
        // What differs from the preset is printed, and this one has the built-in defaults.
        other.preset = .none
        let isPrinted = !key.onlyOnCommandLine && key.group != .compatibility && key.effect != .connection
        let command = ResolvedConfiguration(other).command(ranks: 1)
        #expect(command.contains(" --\(key.name)=") == isPrinted, "\(command)")
    }

    @Test("Two checkpoints differ in options that change what is computed")
    func difference() {
        var other = state()
        for key in ConfigurationKey.all { other.options[key.name] = "another value" }
        let facts = CheckpointDifference.facts(state(), other).filter { $0.second == "another value" }
        // These are told from the state, not from the options.
        let told = ConfigurationKey.shape.filter { $0.group == .model }.map(\.name) + ["dataset", "seed"]
        let expected = ConfigurationKey.all.filter { [.shape, .course, .horizon].contains($0.effect) }.map(\.name)
        #expect(Set(facts.map(\.name)) == Set(expected).subtracting(told))
    }
}
