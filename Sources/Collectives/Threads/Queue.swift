/// First in, first out; its first element can be changed where it stands.
struct Queue<Element> {
    private var elements: [Element] = []
    private var first = 0

    var isEmpty: Bool { first == elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    /// - Returns: nil when there is none.
    mutating func withFirst<R>(_ body: (inout Element) throws -> R) rethrows -> R? {
        isEmpty ? nil : try body(&elements[first])
    }

    @discardableResult
    mutating func removeFirst() -> Element {
        let element = elements[first]
        first += 1
        if isEmpty {
            elements.removeAll(keepingCapacity: true)
            first = 0
        }
        return element
    }
}
