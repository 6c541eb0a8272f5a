#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the layout of the ABI from abidw's description of tests/abi/probe.c, in
sorted lines: "struct +offset member : type" for each member, "struct size N
frozen" for a struct that may never grow, "enum NAME = VALUE". Growth appends
lines; a line that is lost is a break."""
import sys
import xml.etree.ElementTree as ET

# Arrays of these grow by a stride that stands beside the array.
GROW_BY_STRIDE = ("wps_config_item",)

root = ET.parse(sys.argv[1]).getroot()
ids = {e.get("id"): e for e in root.iter() if e.get("id")}


def name(type_id):
    e = ids.get(type_id)
    if e is None:
        return "void"
    if e.tag == "pointer-type-def":
        return name(e.get("type-id")) + "*"
    if e.tag == "qualified-type-def":
        const = "const " if e.get("const") else ""
        return const + name(e.get("type-id"))
    if e.tag == "array-type-def":
        lengths = ",".join(s.get("length", "?") for s in e)
        return f"{name(e.get('type-id'))}[{lengths}]"
    if e.tag == "function-type":
        parameters = ["..." if p.get("is-variadic") else name(p.get("type-id"))
                      for p in e.findall("parameter")]
        result = name(e.find("return").get("type-id"))
        return f"{result} ({', '.join(parameters)})"
    return e.get("name") or e.tag


lines = set()
for tag in ("class-decl", "union-decl"):
    for c in root.iter(tag):
        own = c.get("name") or ""
        if c.get("is-declaration-only") == "yes" or not own.startswith("wps_"):
            continue
        members = [d.find("var-decl") for d in c.findall("data-member")]
        offsets = [int(d.get("layout-offset-in-bits", "0")) // 8
                   for d in c.findall("data-member")]
        for at, m in zip(offsets, members):
            lines.add(f"{own} +{at} {m.get('name')} : {name(m.get('type-id'))}")
        grows = members and members[0].get("name") == "struct_size"
        # A union of pointers grows by further pointers.
        if not grows and tag == "class-decl" and own not in GROW_BY_STRIDE:
            lines.add(f"{own} size {int(c.get('size-in-bits')) // 8} frozen")
for e in root.iter("enum-decl"):
    for k in e.findall("enumerator"):
        if k.get("name").startswith("WPS_"):
            lines.add(f"enum {k.get('name')} = {k.get('value')}")
print("\n".join(sorted(lines)))
