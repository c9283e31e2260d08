extension String {
    /// With line breaks and tabs where `\n`, `\r` and `\t` stand, since a shell makes them hard to type.
    var resolvingEscapes: String {
        replacing("\\n", with: "\n").replacing("\\t", with: "\t").replacing("\\r", with: "\r")
    }
}
