/// The system's text for a value of `errno`, such as `No such file or directory`.
package func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
