// An example of the library in twenty lines: loads a model (a checkpoint or a Hugging Face folder) and streams
// generated text.
//
//     swift run stream-text out/checkpoints/best "To be"
import Compute
import Interchange
import Platform
import Tokenizers
import Transformer

guard CommandLine.arguments.count == 3 else {
    print("usage: stream-text MODEL-FOLDER PROMPT")
    exit(64)
}
let (folder, prompt) = (CommandLine.arguments[1], CommandLine.arguments[2])

do {
    let source = try PretrainedModel(path: folder)
    let tokenizer = try TokenizerFile.load(folder: folder)
    let model = GPT(
        configuration: source.configuration,
        context: ComputeContext(pool: WorkerPool(threadCount: 2)),
        forTraining: false
    )
    try source.load(into: model)

    let options = SamplingOptions(maxNewTokens: 200, allowedVocabulary: tokenizer.vocabularySize)
    Generator(model: model).generate(prompt: try tokenizer.encodePrompt(Array(prompt.utf8)), options: options) {
        token in
        // Writes bytes and not characters, because one character can consist of several tokens.
        let bytes = tokenizer.decode([token])
        return write(STDOUT_FILENO, bytes, bytes.count) == bytes.count
    }
    print()
} catch {
    let line = Array("stream-text: \(error)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}
