//! A ContainerSet → its members: each becomes a Container document whose values stand where the set's do.

use super::document::reader::Reader;
use super::document::set::{self, Id, Member, Pattern};
use super::document::{self, Head, Opened, set::FIELDS, values};
use super::fill::{Each, Values};
use super::names;
use super::render::Renderer;
use super::report::Wrong;
use super::tree::{Entry, Mark, Node, Style, Value};
use crate::model::key::{Key, Kind};
use crate::model::origin::Layer;
use crate::model::words::did_you_mean;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most values that the members of all sets of a load may hold: 10,000 members of a hundred.
pub const MAX_NODES: usize = 1_000_000;

/// A set that is read, but for what differs between its members.
struct Set<'s, 'a> {
    name: String,
    key: Key,
    /// As written: each member fills them.
    metadata: Option<&'s Node<'a>>,
    pattern: Option<&'s Node<'a>>,
    /// `metadata.renamedFrom`: the set's former name, or the former pattern of its members' names.
    former: Option<&'s Node<'a>>,
    template: &'s Node<'a>,
    mark: Mark,
    keyed: bool,
    /// Every name that some member has a value for.
    each: BTreeSet<String>,
}

/// Expands a set; its members join the rendered documents.
pub fn expand(opened: &Opened, renderer: &mut Renderer) {
    let node = outer(&opened.node, renderer);
    let mut reader = Reader::new(renderer.report);
    let head = Head::read(&node, Kind::ContainerSet, opened.mark, &mut reader);
    let nothing = Node { mark: opened.mark, value: Value::Map(vec![]) };
    let spec = reader.field(&node, "spec", "spec").unwrap_or(&nothing);
    // Until it is expanded.
    head.key.iter().for_each(|key| reader.report.unread(key.clone()));
    if !reader.mapping(spec, "the spec of a ContainerSet", &FIELDS) {
        return;
    }
    let members = set::members(spec, opened.mark, &mut reader);
    let written = opened.node.get("spec");
    let field = |name: &str| written?.get(name).filter(|node| !node.is_null());
    let Some(template) = field("template") else {
        return reader.missing(
            opened.mark,
            "spec.template",
            "add `template: {image: NAME}`, a container's spec",
        );
    };
    if let Some(external) = template.get("external").filter(|node| !node.is_null()) {
        let wrong = Wrong::new("bad-value", "the members of a set cannot be external");
        let help = "declare each as a Container with `external: true`";
        return renderer.report.error(external.mark, wrong.help(help));
    }
    let (Some(key), Some(mut members)) = (head.key, members) else { return };
    let keyed = matches!(members.first(), Some(Member { id: Id::Key(_), .. }));
    let set = Set {
        name: key.name.clone(),
        key,
        metadata: opened.node.get("metadata"),
        pattern: field("name"),
        former: opened.node.get("metadata").and_then(|metadata| metadata.get("renamedFrom")),
        template,
        mark: opened.mark,
        keyed,
        each: members.iter().flat_map(|member| member.each.keys().cloned()).collect(),
    };
    if let Some(first) = renderer.rendered.set_marks.insert(set.key.clone(), opened.mark) {
        let help = format!("the first one is at {}; rename or remove one", renderer.report.place(first));
        let wrong = Wrong::new("duplicate-object", format!("{} is declared twice", set.key));
        return renderer.report.error(opened.mark, wrong.help(help));
    }
    let probed = members.is_empty() && field("replicas").is_some();
    if probed {
        // No member is there that would show what is wrong with the template.
        let each = Values::from([("index".to_owned(), values::number(0, opened.mark))]);
        members.push(Member { id: Id::Index(0), each, former: None, mark: opened.mark });
    }
    if !afford(&set, members.len(), renderer) {
        return;
    }
    renderer.used.clear();
    let mut documents: Vec<_> = members.iter().filter_map(|member| set.member(member, renderer)).collect();
    renderer.report.key = Some(set.key.clone());
    if probed {
        members.clear();
    }
    unused(&set, &members, renderer);
    renderer.report.key = None;
    if probed {
        documents.clear();
    }
    let keys = documents.iter().map(|document| document.key.clone()).collect();
    renderer.rendered.sets.insert(set.key, keys);
    renderer.rendered.documents.extend(documents);
}

/// The set's tree with everything filled that is the same for all members.
fn outer<'a>(node: &Node<'a>, renderer: &mut Renderer) -> Node<'a> {
    let mut node = node.clone();
    let Value::Map(entries) = &mut node.value else { return node };
    for entry in entries {
        match entry.key.as_ref() {
            "metadata" => entry.value = own(&entry.value, renderer),
            "spec" => {
                if let Value::Map(fields) = &mut entry.value.value {
                    for field in
                        fields.iter_mut().filter(|field| !matches!(field.key.as_ref(), "template" | "name"))
                    {
                        field.value = renderer.filled(&field.value, None);
                    }
                }
            }
            _ => {}
        }
    }
    node
}

/// A set's metadata for the set itself; the rest is its members'. A former name is for both: each fills it.
fn own<'a>(metadata: &Node<'a>, renderer: &mut Renderer) -> Node<'a> {
    let mut metadata = metadata.clone();
    if let Value::Map(entries) = &mut metadata.value {
        entries.retain(|entry| matches!(entry.key.as_ref(), "name" | "memberOf"));
        for entry in entries {
            entry.value = renderer.filled(&entry.value, None);
        }
    }
    metadata
}

fn is_own(field: &str) -> bool {
    matches!(field, "name" | "memberOf" | "renamedFrom")
}

/// Whether so many members more are affordable.
fn afford(set: &Set, count: usize, renderer: &mut Renderer) -> bool {
    let nodes = set.template.weight().saturating_mul(count);
    if let Some(left) = renderer.nodes.checked_sub(nodes) {
        renderer.nodes = left;
        return true;
    }
    let message = format!("the members of this load's sets hold more than {MAX_NODES} values");
    renderer.report.error(set.mark, Wrong::new("too-many", message).help("make fewer, or load them apart"));
    false
}

/// Warns of values in `for` that nothing uses: most likely a slip.
fn unused(set: &Set, members: &[Member], renderer: &mut Renderer) {
    let mut used = std::mem::take(&mut renderer.used);
    for node in set.metadata.into_iter().chain(set.pattern).chain([set.template]) {
        collect_used(node, &mut used);
    }
    for member in members {
        for (name, given) in &member.each {
            if !matches!(name.as_str(), "key" | "index") && used.insert(name.clone()) {
                let message = format!("`{name}` is used nowhere in {}", set.key);
                let others = used.iter().filter(|used| *used != name && !set.each.contains(*used));
                let help = did_you_mean(name, others.map(String::as_str));
                let help = help.unwrap_or_else(|| format!("use it as `${{each.{name}}}`, or remove it"));
                renderer.report.warning(given.mark, Wrong::new("unused-value", message).help(help));
            }
        }
    }
}

fn collect_used(node: &Node, used: &mut BTreeSet<String>) {
    match &node.value {
        Value::Scalar { text, .. } => {
            for part in text.split("${each.").skip(1) {
                used.extend(part.split('}').next().map(|name| name.trim().to_owned()));
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect_used(item, used)),
        Value::Map(entries) => entries.iter().for_each(|entry| collect_used(&entry.value, used)),
    }
}

impl<'a> Set<'_, 'a> {
    fn each<'v>(&'v self, member: &'v Member) -> Each<'v> {
        Each { values: &member.each, names: &self.each, mark: member.mark }
    }

    /// The pattern of names filled for one member; none when it is reported.
    fn pattern_of(&self, member: &Member, renderer: &mut Renderer) -> Option<Pattern> {
        match self.pattern {
            Some(written) => self.written_pattern(written, member, renderer),
            None => Some(Pattern::of_set(&self.name, self.keyed)),
        }
    }

    fn written_pattern(
        &self,
        written: &Node<'a>,
        member: &Member,
        renderer: &mut Renderer,
    ) -> Option<Pattern> {
        let filled = renderer.filled(written, Some(self.each(member)));
        let text = Reader::new(renderer.report).text(&filled, "name")?;
        let pattern = match Pattern::parse(&text) {
            Ok(pattern) => pattern,
            Err(wrong) => {
                renderer.report.error(written.mark, wrong);
                return None;
            }
        };
        if !pattern.tells_apart(written.raw().unwrap_or_default()) {
            let message = format!("`{text}` gives every member the same name");
            let id = if self.keyed { "{key}" } else { "{index}" };
            let wrong = Wrong::new("bad-value", message).help(format!("add `{id}`: `{text}-{id}`"));
            renderer.report.error(written.mark, wrong);
            return None;
        }
        Some(pattern)
    }

    /// What a member was called before, and where that is said; none: it has its name, or what is wrong is reported.
    fn former_name(&self, name: &str, member: &Member, renderer: &mut Renderer) -> Option<(Key, Mark)> {
        let mark = member.former.as_ref().map(|key| key.mark).or(self.former.map(|node| node.mark))?;
        let mut before = member.clone();
        if let Some(key) = &member.former {
            before.id = Id::Key(key.text.clone());
            before.each.insert("key".to_owned(), key.clone());
        }
        let pattern = self.former_pattern(&before, renderer)?;
        let named = pattern.name(&before.id);
        let former = match named {
            Ok(former) if former == name && member.former.is_none() => return None,
            Ok(former) => former,
            Err(wrong) => {
                renderer.report.error(mark, wrong);
                return None;
            }
        };
        match names::of_kind(Kind::Container, &former) {
            Ok(()) => Some((Key::container(&former), mark)),
            Err(bad) => {
                Reader::new(renderer.report).bad(mark, "the former name of a member", &former, bad);
                None
            }
        }
    }

    /// The pattern that names had when the set had its former name.
    fn former_pattern(&self, member: &Member, renderer: &mut Renderer) -> Option<Pattern> {
        let Some(former) = self.former else { return self.pattern_of(member, renderer) };
        let filled = renderer.filled(former, Some(self.each(member)));
        let is_pattern = |node: &Node, mark: &str| node.raw().is_some_and(|text| text.contains(mark));
        if is_pattern(&filled, "{") || is_pattern(former, "${each.") {
            return self.written_pattern(former, member, renderer);
        }
        let mut reader = Reader::new(renderer.report);
        let name = reader.text(&filled, "metadata.renamedFrom")?;
        match (names::of_kind(Kind::ContainerSet, &name), self.pattern) {
            (Ok(()), Some(_)) => self.pattern_of(member, renderer),
            (Ok(()), None) => Some(Pattern::of_set(&name, self.keyed)),
            (Err(bad), _) => {
                reader.bad(former.mark, "metadata.renamedFrom", &name, bad);
                None
            }
        }
    }

    /// A member's document; none when it is reported, or placed on another host.
    fn member(&self, member: &Member, renderer: &mut Renderer) -> Option<document::Document> {
        renderer.report.key = Some(self.key.clone());
        let mark = self.name_mark(member);
        let name = match self.pattern_of(member, renderer)?.name(&member.id) {
            Ok(name) => name,
            Err(wrong) => {
                renderer.report.error(self.pattern.map_or(mark, |node| node.mark), wrong);
                return None;
            }
        };
        let key = Key::container(&name);
        renderer.report.member(key.clone(), self.key.clone());
        renderer.report.key = Some(key);
        if let Err(bad) = names::of_kind(Kind::Container, &name) {
            Reader::new(renderer.report).bad(mark, "the name of a member", &name, bad);
            return None;
        }
        let node = self.tree(&name, mark, member, renderer);
        if let Some(placement) = node.get("spec").and_then(|spec| spec.get("placement"))
            && !renderer.placed(placement, Some(&name), Kind::Container)
        {
            return None;
        }
        let mut document = document::read(&node, Kind::Container, member.mark, renderer.report)?;
        renderer.fill_templates(&mut document, Some(self.each(member)));
        if let Some((former, mark)) = self.former_name(&name, member, renderer) {
            document.marks.insert("metadata.renamedFrom".to_owned(), mark);
            document.renamed_from = Some(former);
        }
        document.meta.member_of = Some(self.key.clone());
        document.layer = Layer::Set(self.name.clone());
        Some(document)
    }

    /// Where a member's name is decided: its key in `for`, else the pattern, else the set.
    fn name_mark(&self, member: &Member) -> Mark {
        match (&member.id, self.pattern) {
            (Id::Key(_), _) => member.mark,
            (Id::Index(_), Some(pattern)) => pattern.mark,
            (Id::Index(_), None) => self.mark,
        }
    }

    /// The member as a Container document.
    fn tree(&self, name: &str, mark: Mark, member: &Member, renderer: &mut Renderer) -> Node<'a> {
        let name =
            Node { mark, value: Value::Scalar { text: Cow::Owned(name.to_owned()), style: Style::Quoted } };
        let mut metadata = vec![Entry { key: Cow::Borrowed("name"), mark, value: name }];
        for entry in self.metadata.and_then(Node::entries).unwrap_or_default() {
            if !is_own(&entry.key) {
                let value = renderer.filled(&entry.value, Some(self.each(member)));
                metadata.push(Entry { key: entry.key.clone(), mark: entry.mark, value });
            }
        }
        let metadata_mark = self.metadata.map_or(self.mark, |node| node.mark);
        let spec = renderer.filled(self.template, Some(self.each(member)));
        let entry = |key, node: Node<'a>| Entry { key: Cow::Borrowed(key), mark: node.mark, value: node };
        let fields = vec![
            entry("metadata", Node { mark: metadata_mark, value: Value::Map(metadata) }),
            entry("spec", spec),
        ];
        Node { mark: self.mark, value: Value::Map(fields) }
    }
}
