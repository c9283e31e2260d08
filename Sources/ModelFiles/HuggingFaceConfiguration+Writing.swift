import Formats
import Transformer

extension HuggingFaceConfiguration {
    /// The variants of GPT-2 that Hugging Face's gpt2 supports with the keys tie_word_embeddings, n_inner and
    /// layer_norm_epsilon.
    package static let supportedVariants: Set = ["tied_head", "hidden_size", "norm_epsilon"]

    /// Returns the text of a `config.json` for Hugging Face's transformers.
    ///
    /// transformers ignores the key `bias`, which is an addition of this project: false means that the zero biases in
    /// the file do not exist in the model. A model with other variants has a type that transformers refuses, and the
    /// key `variants`.
    /// - Parameter endOfText: The id that marks the end of a document, or nil if the vocabulary has none.
    package static func text(_ model: GPTConfiguration, endOfText: Int32?) -> String {
        let endOfText = endOfText.map { JSONValue.integer(Int($0)) } ?? .null
        // Converts through the text of the Float, because Double(0.2 as Float) would be written with more digits.
        func number(_ value: Float) -> JSONValue { .number(Double("\(value)")!) }
        let dropout = number(model.dropout)
        let variants = model.architectureChanges.filter { !supportedVariants.contains($0.name) }
        let isGPT2 = variants.isEmpty
        let hidden = model.feedForward.hiddenSize
        return JSONValue.object(
            [
                .init("architectures", .array([.string(isGPT2 ? "GPT2LMHeadModel" : "DDPTrainVariant")])),
                .init("model_type", .string(isGPT2 ? "gpt2" : variantType)),
            ] + (isGPT2 ? [] : [.init("variants", .object(variants.map { .init($0.name, .string($0.value)) }))]) + [
                .init("vocab_size", .integer(model.vocabularySize)),
                .init("n_positions", .integer(model.blockSize)),
                .init("n_ctx", .integer(model.blockSize)),
                .init("n_embd", .integer(model.embeddingSize)),
                .init("n_layer", .integer(model.layerCount)),
                .init("n_head", .integer(model.headCount)),
                .init("n_inner", hidden == 4 * model.embeddingSize ? .null : .integer(hidden)),
                .init("activation_function", .string(model.activation.huggingFaceNames[0])),
                .init("layer_norm_epsilon", number(model.norm.epsilon)),
                .init("embd_pdrop", dropout),
                .init("attn_pdrop", dropout),
                .init("resid_pdrop", dropout),
                .init("scale_attn_weights", .bool(true)),
                .init("scale_attn_by_inverse_layer_idx", .bool(false)),
                .init("tie_word_embeddings", .bool(model.tiedHead)),
                .init("bos_token_id", endOfText),
                .init("eos_token_id", endOfText),
                .init("dtype", .string("float32")),
                .init("bias", .bool(model.bias)),
            ]
        ).textWithLinePerMember()
    }

    /// Returns the text of the `tokenizer_config.json` for the folder of a `tokenizer.json`. Without this file,
    /// transformers assumes that the tokenizer of a GPT-2 is a byte-level BPE and ignores settings that contradict it.
    ///
    /// - Parameter endOfText: The name of the token that marks the end of a document, or nil if the vocabulary has
    ///   none.
    package static func tokenizerText(_ model: GPTConfiguration, endOfText: String?) -> String {
        JSONValue.object(
            [
                .init("tokenizer_class", .string("PreTrainedTokenizerFast")),
                .init("model_max_length", .integer(model.blockSize)),
                .init("clean_up_tokenization_spaces", .bool(false)),
            ] + (endOfText.map { [.init("eos_token", .string($0))] } ?? [])
        ).textWithLinePerMember()
    }
}
