/// A loss per byte of text instead of per token, which compares between tokenizers.
enum BitsPerByte {
    /// The natural logarithm of 2: nats in a bit.
    private static let natsPerBit = 0.693_147_180_559_945_3

    /// - Parameters:
    ///   - loss: mean in nats per token.
    ///   - bytesPerToken: mean over the whole split.
    static func value(loss: Double, bytesPerToken: Double) -> Double { loss / natsPerBit / bytesPerToken }
}
