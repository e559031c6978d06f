"""Reads Go's run-time type information out of a Go program (ELF, 64 bit, not position independent).

A Go program carries, for every type that it can reflect on, the type's name and for structs each
field's name, type and tag. For kubectl that is the authoritative list of protobuf field numbers,
pointer fields and Go type names of the Kubernetes API. Layout: package internal/abi of Go 1.18+.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

KIND_MAP, KIND_POINTER, KIND_SLICE, KIND_STRUCT = 21, 22, 23, 25
FLAG_UNCOMMON, FLAG_EXTRA_STAR = 1, 2
_TYPE_SIZE = 48


@dataclass(frozen=True)
class Field:
    """One struct field.

    Attributes:
        name: Go name.
        tag: its raw tag.
        embedded: whether it is an embedded (anonymous) field.
        type: address of its type.
    """

    name: str
    tag: str
    embedded: bool
    type: int

    def tag_value(self, key: str) -> str:
        """The value of one key of the tag; empty when absent."""
        marker = f'{key}:"'
        for part in self.tag.split(" "):
            if part.startswith(marker):
                return part[len(marker) : -1]
        return ""


class GoProgram:
    """The types of one Go executable."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError when it is not a program that this can read."""
        self._data = path.read_bytes()
        if self._data[:5] != b"\x7fELF\x02":
            raise ValueError(f"{path} is no 64-bit ELF file")
        self._sections = self._read_sections()
        self._base = self._sections[".rodata"][0]

    def _read_sections(self) -> dict[str, tuple[int, int, int]]:
        (offset,) = struct.unpack_from("<Q", self._data, 40)
        size, count, names_index = struct.unpack_from("<HHH", self._data, 58)
        rows = [struct.unpack_from("<IIQQQQ", self._data, offset + i * size) for i in range(count)]
        names = rows[names_index][4]
        found = {}
        for name, _kind, _flags, address, position, length in rows:
            start = names + name
            text = self._data[start : self._data.index(b"\0", start)].decode()
            found[text] = (address, position, length)
        return found

    def _at(self, address: int) -> int:
        start, position, length = self._sections[".rodata"]
        if not start <= address < start + length:
            raise ValueError(f"address {address:#x} is outside of the read-only data")
        return position + address - start

    def _word(self, address: int) -> int:
        return int(struct.unpack_from("<Q", self._data, self._at(address))[0])

    def _text(self, position: int) -> tuple[str, int]:
        length = shift = 0
        while True:
            byte = self._data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return self._data[position : position + length].decode(), position + length

    def kind(self, address: int) -> int:
        """The reflect.Kind of a type."""
        return self._data[self._at(address) + 23] & 31

    def name(self, address: int) -> str:
        """What reflect.Type.String gives: "v1.PodSpec", "[]v1.Container", "*int32"."""
        position = self._at(address)
        flags = self._data[position + 20]
        (offset,) = struct.unpack_from("<i", self._data, position + 40)
        text, _ = self._text(self._at(self._base + offset) + 1)
        return text[1:] if flags & FLAG_EXTRA_STAR else text

    def element(self, address: int) -> int:
        """Address of the element type of a pointer, slice or map."""
        return self._word(address + _TYPE_SIZE + (8 if self.kind(address) == KIND_MAP else 0))

    def package(self, address: int) -> str:
        """Import path of a named struct's package; empty for others."""
        position = self._at(address)
        if self.kind(address) != KIND_STRUCT or not self._data[position + 20] & FLAG_UNCOMMON:
            return ""
        (offset,) = struct.unpack_from("<i", self._data, position + _TYPE_SIZE + 32)
        return self._text(self._at(self._base + offset) + 1)[0]

    def fields(self, address: int) -> list[Field]:
        """The fields of a struct, in order."""
        array, count = self._word(address + 56), self._word(address + 64)
        found = []
        for index in range(count):
            entry = array + 24 * index
            position = self._at(self._word(entry))
            flags = self._data[position]
            name, position = self._text(position + 1)
            tag = self._text(position)[0] if flags & 2 else ""
            found.append(Field(name, tag, bool(flags & 8), self._word(entry + 8)))
        return found

    def structs(self) -> dict[str, int]:
        """Address by "package.Name" of every named struct reachable from the type links."""
        _, position, length = self._sections[".typelink"]
        offsets = struct.unpack_from(f"<{length // 4}i", self._data, position)
        todo, seen, found = [self._base + offset for offset in offsets], set(), {}
        while todo:
            address = todo.pop()
            if address in seen:
                continue
            seen.add(address)
            kind = self.kind(address)
            if kind == KIND_STRUCT:
                if package := self.package(address):
                    found[f"{package}.{self.name(address).rpartition('.')[2]}"] = address
                todo.extend(field.type for field in self.fields(address))
            elif kind in {KIND_POINTER, KIND_SLICE, KIND_MAP}:
                todo.append(self.element(address))
        return found
