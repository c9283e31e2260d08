import Compute
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

/// Tests of files that `numpy.save` writes.
extension TokenTypeTests {
    @Test(
        "every little-endian integer type and every version of NPY is read",
        arguments: [
            ("|u1", "uint8"), ("|i1", "int8"), ("<u2", "uint16"), ("<i2", "int16"), ("<u4", "uint32"), ("<i4", "int32"),
            ("<u8", "uint64"), ("<i8", "int64"),
        ],
        [UInt8(1), 2, 3]
    )
    func numPy(type: (descriptor: String, name: String), version: UInt8) throws {
        try write(
            npy(bytes(train, named: type.name), type: type.descriptor, count: train.count, version: version),
            "train.bin"
        )
        try write(bytes(validation, named: "uint16"), "val.bin")
        try writeMeta(12)
        let dataset = try open()
        try expectSameTokens(dataset)
        #expect(dataset.notices == ["\(folder("set/train.bin")) is an NPY file of \(type.name) and is read as one"])
    }

    @Test(
        "headers with another order, other quotes or spaces, or Python 2's numbers are read",
        arguments: [
            #"{"shape": (2000L,), "descr": "<u2", "fortran_order": True}"#,
            "{'fortran_order':False,'shape':(2000,),'descr':'<u2'}",
            "{ 'descr' : '<u2' , 'fortran_order' : False , 'shape' : ( 2000 , ) , }",
        ]
    )
    func headers(header: String) throws {
        try write(npy(bytes(train, named: "uint16"), header), "train.npy")
        try write(npy(bytes(validation, named: "uint16"), type: "<u2", count: validation.count), "val.npy")
        let dataset = try open()
        try expectSameTokens(dataset)
        #expect(dataset.notices.isEmpty)
    }

    @Test(
        "a file that is not a sequence of ids is refused with the reason",
        arguments: [
            ("{'descr': '>u2', 'fortran_order': False, 'shape': (2000,), }", "of big-endian numbers (>u2)"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2000,), }",
                "of elements that are not token ids (<f4)"
            ),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2000,), }", "of elements that are not token ids (|O)"),
            (
                "{'descr': '|b1', 'fortran_order': False, 'shape': (4000,), }",
                "of elements that are not token ids (|b1)"
            ),
            ("{'descr': '<u2', 'fortran_order': False, 'shape': (100, 20), }", "of shape (100, 20)"),
            ("{'descr': '<u2', 'fortran_order': True, 'shape': (2000, 1), }", "of shape (2000, 1)"),
            ("{'descr': '<u2', 'fortran_order': False, 'shape': (), }", "of shape ()"),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (2001,), }",
                "of 2001 ids of 2 bytes, but has 4000 bytes"
            ),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (1999,), }",
                "of 1999 ids of 2 bytes, but has 4000 bytes"
            ),
            (
                "{'descr': '<u8', 'fortran_order': False, 'shape': (9223372036854775807,), }",
                "of 9223372036854775807 ids"
            ),
            (
                "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }",
                "its shape contains 999"
            ),
            ("{'descr': [('id', '<u2')], 'fortran_order': False, 'shape': (2000,), }", "an NPY file of records"),
            ("{'fortran_order': False, 'shape': (2000,), }", "it lacks descr or shape"),
            ("", "it lacks descr or shape"),
        ]
    )
    func refusedNumPy(header: String, reason: String) throws {
        try write(npy(bytes(train, named: "uint16"), header), "train.bin")
        try write(bytes(validation, named: "uint16"), "val.bin")
        try expectRefusal(folder("set/train.bin"), reason)
    }

    @Test("a negative id is refused with its value")
    func negative() throws {
        for (type, name) in [("<i2", "int16"), ("<i4", "int32"), ("<i8", "int64")] {
            var ids = train
            ids[7] = -5
            try write(npy(bytes(ids, named: name), type: type, count: ids.count), "train.bin")
            try write(bytes(validation, named: "uint16"), "val.bin")
            try expectRefusal("train.bin: token 7 has the id -5, beyond the vocabulary of 50304")
        }
    }

    @Test("an NPY file that is truncated anywhere or has a wrong header is refused")
    func cutNumPy() throws {
        try write(bytes(validation, named: "uint16"), "val.bin")
        let whole = npy(bytes(Array(train[..<40]), named: "uint32"), type: "<u4", count: 40)
        for count in 8..<whole.count {
            try write(Array(whole[..<count]), "train.bin")
            try expectRefusal("train.bin")
        }
        for version: UInt8 in [0, 4, 255] {
            var other = whole
            other[6] = version
            try write(other, "train.bin")
            try expectRefusal("is an NPY file of version \(version); this program reads versions 1 to 3")
        }
        // Ids that start at an odd offset.
        let text = Array("{'descr': '<u4', 'fortran_order': False, 'shape': (40,), } ".utf8)
        let odd = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count), 0] + text
        try write(odd + bytes(Array(train[..<40]), named: "uint32"), "train.bin")
        try expectRefusal("whose ids start at byte \(odd.count)")
    }
}
