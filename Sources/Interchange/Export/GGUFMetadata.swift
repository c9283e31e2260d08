/// The metadata of a GGUF file: keys with typed values, in order.
struct GGUFMetadata {
    private enum ValueType: UInt32 {
        case uint32 = 4
        case int32 = 5
        case float32 = 6
        case string = 8
        case array = 9
    }

    private(set) var content = GGUFBytes()
    private(set) var count = 0

    private mutating func begin(_ key: String, _ type: ValueType) {
        content.append(key)
        content.append(type.rawValue)
        count += 1
    }

    mutating func add(_ key: String, _ value: UInt32) {
        begin(key, .uint32)
        content.append(value)
    }

    mutating func add(_ key: String, _ value: Float) {
        begin(key, .float32)
        content.append(value.bitPattern)
    }

    mutating func add(_ key: String, _ value: String) {
        begin(key, .string)
        content.append(value)
    }

    mutating func add(_ key: String, _ values: [String]) {
        begin(key, .array)
        content.append(ValueType.string.rawValue)
        content.append(UInt64(values.count))
        for value in values { content.append(value) }
    }

    mutating func add(_ key: String, _ values: [Int32]) {
        begin(key, .array)
        content.append(ValueType.int32.rawValue)
        content.append(UInt64(values.count))
        for value in values { content.append(value) }
    }
}
