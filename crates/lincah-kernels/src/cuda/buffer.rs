//! Arrays on the device, whose elements are f32 or bfloat16.

use super::pool::Block;
use cudarc::driver::{DeviceRepr, sys::CUdeviceptr};

/// Of what an array's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    F32,
    Bf16,
}

impl Element {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing yet: whoever writes it first chooses the element.
    Uninitialized,
    /// Zeros that are not in memory yet: whoever adds to it first writes instead, and chooses the element.
    Zeros,
    Numbers(Element),
}

/// `View` of elementwise.cu.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) address: CUdeviceptr,
    pub(super) bf16: u64,
}

// SAFETY: C layout, plain numbers, the same fields as in elementwise.cu.
unsafe impl DeviceRepr for View {}

impl View {
    /// No array.
    pub(super) fn none() -> Self {
        Self { address: 0, bf16: 0 }
    }

    /// What lies behind so many numbers.
    pub(super) fn behind(self, numbers: usize) -> Self {
        Self { address: self.address + (numbers * self.element().bytes()) as u64, ..self }
    }

    pub(super) fn element(self) -> Element {
        if self.bf16 == 0 { Element::F32 } else { Element::Bf16 }
    }
}

/// An array, and somewhat more memory than it needs.
pub(super) struct Buffer {
    pub(super) block: Option<Block>,
    pub(super) content: Content,
    /// The same numbers in bfloat16, where whoever wrote them knew that a product would read them so.
    pub(super) rounded: Option<Block>,
    pub(super) length: usize,
}

impl Buffer {
    pub(super) fn new(length: usize) -> Self {
        Self { block: None, content: Content::Uninitialized, rounded: None, length }
    }

    pub(super) fn element(&self) -> Element {
        match self.content {
            Content::Numbers(element) => element,
            Content::Uninitialized | Content::Zeros => Element::F32,
        }
    }

    /// The element, if there are numbers.
    pub(super) fn written(&self) -> Option<Element> {
        match self.content {
            Content::Numbers(element) => Some(element),
            Content::Uninitialized | Content::Zeros => None,
        }
    }

    /// The first `length` numbers in bfloat16, if they are at hand.
    pub(super) fn rounded(&self, length: usize) -> Option<View> {
        self.check(length);
        self.rounded.as_ref().map(|block| View { address: block.address, bf16: 1 })
    }

    /// Forgets the numbers: they are zeros now.
    pub(super) fn forget(&mut self) {
        self.rounded = None;
        self.content = Content::Zeros;
    }

    pub(super) fn check(&self, length: usize) {
        assert!(self.length >= length, "an array of {} numbers is shorter than its shape, {length}", self.length);
    }
}
