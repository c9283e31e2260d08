/// The system's text for a value of `errno`, such as `No such file or directory`.
package func errorText(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    return code == EFBIG ? text + " (ulimit -f shows the largest size that is allowed)" : text
}
