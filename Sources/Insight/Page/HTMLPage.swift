import Formats
import Training

/// An HTML page as a single file with its style, scripts and data. It fetches nothing.
///
/// The data is JSON, the same as in the JSON files of `inspect` and `experiment`. The page's script reads it as `DATA`.
/// `page.js` holds the functions that all pages share.
struct HTMLPage {
    let title: String
    /// The script that builds the page from `DATA`. It follows `page.js`.
    let script: [UInt8]
    /// Style sheet that follows `page.css`.
    var style: [UInt8] = []
    let data: JSONValue
    /// The number of seconds after which the browser reloads the page (see `reloadPeriodically` in `page.js`); nil for
    /// a finished page.
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
            <noscript>This page needs JavaScript. Its source contains the numbers as JSON.</noscript>
            <script id="data" type="application/json">\(dataText)</script>
            <script>
            \(text(PackageResources.page_js))
            \(text(script))</script>
            </html>

            """
    }

    /// The data with each "<" escaped, so that it cannot end the script element that contains it.
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
