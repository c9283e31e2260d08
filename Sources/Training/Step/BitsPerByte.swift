/// A loss by the bytes of the text rather than by tokens, so that it compares over tokenizers.
enum BitsPerByte {
    /// The natural logarithm of 2: nats in a bit.
    private static let natsPerBit = 0.693_147_180_559_945_3

    /// - Parameters:
    ///   - loss: mean in nats a token.
    ///   - bytesPerToken: of the whole split, as the text's bytes are known of that.
    static func value(loss: Double, bytesPerToken: Double) -> Double { loss / natsPerBit / bytesPerToken }
}
