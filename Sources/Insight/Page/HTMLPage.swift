import Formats
import Training

/// A page that is one file: style, script and data stand in it, and nothing is fetched, so it opens anywhere, for ever.
///
/// The data are JSON, the same that `inspect` and `experiment` also write beside their pages; the page's script finds them
/// as `DATA`. `page.js` has what all pages share.
struct HTMLPage {
    let title: String
    /// The script that builds the page from `DATA`, below `page.js`.
    let script: [UInt8]
    /// Style of this page alone.
    var style: [UInt8] = []
    let data: JSONValue
    /// Seconds after which a browser loads the page again, as long as it is written again (`reloadPeriodically` in `page.js`); nil for
    /// a page that is finished.
    var reload: Int?

    var text: String {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        return """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            \(RunFiles.pageMark)
            \(reload.map { "<meta name=\"reload\" content=\"\($0)\">\n" } ?? "")<title>\(Self.escaped(title))</title>
            <link rel="icon" href="data:,">
            <style>
            \(text(PackageResources.page_css))\(text(style))</style>
            <body>
            <noscript>This page draws itself with JavaScript; its numbers stand in its source, as JSON.</noscript>
            <script id="data" type="application/json">\(dataText)</script>
            <script>
            \(text(PackageResources.page_js))
            \(text(script))</script>
            </html>

            """
    }

    /// A "<" within the data cannot end the element they stand in.
    private var dataText: String {
        var bytes: [UInt8] = []
        for byte in data.text().utf8 {
            if byte == UInt8(ascii: "<") { bytes += "\\u003c".utf8 } else { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
