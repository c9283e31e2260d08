import Platform
import Tokenizers
import Transformer

/// Writes a sample of text at each evaluation, `samples/step-00000250.txt`, so that one sees a model learn.
final class SampleWriter: TrainingObserver {
    private let folder: String
    private let tokenizer: any Tokenizer
    private let options: SamplingOptions
    private let prompt: [Int32]
    private let stop: StopRequest
    private let output: RunOutput

    static let length = 300
    private static let excerptLength = 72

    /// - Parameter stop: ends a sample that is being written, which is lost.
    /// - Throws: `UserError(.inputOutput)` when the folder cannot be made.
    init(folder: String, tokenizer: any Tokenizer, seed: Int, stop: StopRequest, output: RunOutput) throws {
        try FileSystem.createFolder(folder)
        self.folder = folder
        self.tokenizer = tokenizer
        self.stop = stop
        self.output = output
        prompt = tokenizer.defaultPrompt.ids
        options = SamplingOptions(
            seed: UInt64(seed),
            maxNewTokens: Self.length,
            allowedVocabulary: tokenizer.vocabularySize,
            stopToken: tokenizer.endOfText
        )
    }

    func evaluationDone(_ report: EvaluationReport, model: GPT) {
        var ids: [Int32] = []
        Generator(model: model).generate(prompt: prompt, options: options) { token in
            ids.append(token)
            output.progress("step \(report.iteration): writing a sample, \(ids.count) of \(Self.length) tokens")
            return !stop.isRequested
        }
        guard !stop.isRequested else { return }
        let bytes = tokenizer.decode(ids)
        do {
            let name = CheckpointName.name(iteration: report.iteration)
            try AtomicFile.write(bytes + Array("\n".utf8), to: "\(folder)/\(name).txt")
        } catch {
            output.note("warning: the sample was not written: \(error)")
        }
        output.line("sample: \(Self.excerpt(of: bytes))")
    }

    /// The beginning on one line.
    static func excerpt(of bytes: [UInt8]) -> String {
        var text = ""
        for character in String(decoding: bytes, as: UTF8.self) {
            guard text.count < excerptLength else { return text + "…" }
            switch character {
            case "\n", "\r\n": text += text.isEmpty ? "" : " / "
            case _ where character.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }:
                text.append(character)
            default: text += "�"
            }
        }
        return text
    }
}
