import Platform
import Testing

@Suite("Numbers as text")
struct NumbersTests {
    @Test("numbers are rounded as by printf")
    func rounding() {
        #expect(Numbers.fixed(1.97136, 4) == "1.9714")
        #expect(Numbers.fixed(0.05, 1) == "0.1")
        #expect(Numbers.fixed(-0.004, 2) == "0.00")
        #expect(Numbers.fixed(-12.5, 2) == "-12.50")
        #expect(Numbers.fixed(13039.4, 0) == "13039")
        #expect(Numbers.fixed(.infinity, 2) == "inf")
        #expect(Numbers.short(-.nan) == "nan")
        #expect(Numbers.grouped(1_003_854) == "1,003,854")
        #expect(Numbers.grouped(999) == "999")
        #expect(
            [0.0009900990099, 6e-4, 1, 1234.56, 1.5e12, 3e-9, 0].map(Numbers.short)
                == ["0.0009901", "0.0006", "1", "1235", "1.500e+12", "3.000e-9", "0"]
        )
    }
}
