var e=globalThis,t=e.ShadowRoot&&(e.ShadyCSS===void 0||e.ShadyCSS.nativeShadow)&&`adoptedStyleSheets`in Document.prototype&&`replace`in CSSStyleSheet.prototype,n=Symbol(),r=new WeakMap,i=class{constructor(e,t,r){if(this._$cssResult$=!0,r!==n)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=t}get styleSheet(){let e=this.o,n=this.t;if(t&&e===void 0){let t=n!==void 0&&n.length===1;t&&(e=r.get(n)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),t&&r.set(n,e))}return e}toString(){return this.cssText}},a=e=>new i(typeof e==`string`?e:e+``,void 0,n),o=(e,...t)=>new i(e.length===1?e[0]:t.reduce((t,n,r)=>t+(e=>{if(!0===e._$cssResult$)return e.cssText;if(typeof e==`number`)return e;throw Error(`Value passed to 'css' function must be a 'css' function result: `+e+`. Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.`)})(n)+e[r+1],e[0]),e,n),s=(n,r)=>{if(t)n.adoptedStyleSheets=r.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(let t of r){let r=document.createElement(`style`),i=e.litNonce;i!==void 0&&r.setAttribute(`nonce`,i),r.textContent=t.cssText,n.appendChild(r)}},c=t?e=>e:e=>e instanceof CSSStyleSheet?(e=>{let t=``;for(let n of e.cssRules)t+=n.cssText;return a(t)})(e):e,{is:l,defineProperty:u,getOwnPropertyDescriptor:d,getOwnPropertyNames:f,getOwnPropertySymbols:p,getPrototypeOf:m}=Object,ee=globalThis,te=ee.trustedTypes,ne=te?te.emptyScript:``,re=ee.reactiveElementPolyfillSupport,h=(e,t)=>e,ie={toAttribute(e,t){switch(t){case Boolean:e=e?ne:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let n=e;switch(t){case Boolean:n=e!==null;break;case Number:n=e===null?null:Number(e);break;case Object:case Array:try{n=JSON.parse(e)}catch{n=null}}return n}},ae=(e,t)=>!l(e,t),oe={attribute:!0,type:String,converter:ie,reflect:!1,useDefault:!1,hasChanged:ae};Symbol.metadata??=Symbol(`metadata`),ee.litPropertyMetadata??=new WeakMap;var g=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,t=oe){if(t.state&&(t.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((t=Object.create(t)).wrapped=!0),this.elementProperties.set(e,t),!t.noAccessor){let n=Symbol(),r=this.getPropertyDescriptor(e,n,t);r!==void 0&&u(this.prototype,e,r)}}static getPropertyDescriptor(e,t,n){let{get:r,set:i}=d(this.prototype,e)??{get(){return this[t]},set(e){this[t]=e}};return{get:r,set(t){let a=r?.call(this);i?.call(this,t),this.requestUpdate(e,a,n)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??oe}static _$Ei(){if(this.hasOwnProperty(h(`elementProperties`)))return;let e=m(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(h(`finalized`)))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(h(`properties`))){let e=this.properties,t=[...f(e),...p(e)];for(let n of t)this.createProperty(n,e[n])}let e=this[Symbol.metadata];if(e!==null){let t=litPropertyMetadata.get(e);if(t!==void 0)for(let[e,n]of t)this.elementProperties.set(e,n)}this._$Eh=new Map;for(let[e,t]of this.elementProperties){let n=this._$Eu(e,t);n!==void 0&&this._$Eh.set(n,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let t=[];if(Array.isArray(e)){let n=new Set(e.flat(1/0).reverse());for(let e of n)t.unshift(c(e))}else e!==void 0&&t.push(c(e));return t}static _$Eu(e,t){let n=t.attribute;return!1===n?void 0:typeof n==`string`?n:typeof e==`string`?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=new Map,t=this.constructor.elementProperties;for(let n of t.keys())this.hasOwnProperty(n)&&(e.set(n,this[n]),delete this[n]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return s(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,t,n){this._$AK(e,n)}_$ET(e,t){let n=this.constructor.elementProperties.get(e),r=this.constructor._$Eu(e,n);if(r!==void 0&&!0===n.reflect){let i=(n.converter?.toAttribute===void 0?ie:n.converter).toAttribute(t,n.type);this._$Em=e,i==null?this.removeAttribute(r):this.setAttribute(r,i),this._$Em=null}}_$AK(e,t){let n=this.constructor,r=n._$Eh.get(e);if(r!==void 0&&this._$Em!==r){let e=n.getPropertyOptions(r),i=typeof e.converter==`function`?{fromAttribute:e.converter}:e.converter?.fromAttribute===void 0?ie:e.converter;this._$Em=r;let a=i.fromAttribute(t,e.type);this[r]=a??this._$Ej?.get(r)??a,this._$Em=null}}requestUpdate(e,t,n,r=!1,i){if(e!==void 0){let a=this.constructor;if(!1===r&&(i=this[e]),n??=a.getPropertyOptions(e),!((n.hasChanged??ae)(i,t)||n.useDefault&&n.reflect&&i===this._$Ej?.get(e)&&!this.hasAttribute(a._$Eu(e,n))))return;this.C(e,t,n)}!1===this.isUpdatePending&&(this._$ES=this._$EP())}C(e,t,{useDefault:n,reflect:r,wrapped:i},a){n&&!(this._$Ej??=new Map).has(e)&&(this._$Ej.set(e,a??t??this[e]),!0!==i||a!==void 0)||(this._$AL.has(e)||(this.hasUpdated||n||(t=void 0),this._$AL.set(e,t)),!0===r&&this._$Em!==e&&(this._$Eq??=new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[e,t]of this._$Ep)this[e]=t;this._$Ep=void 0}let e=this.constructor.elementProperties;if(e.size>0)for(let[t,n]of e){let{wrapped:e}=n,r=this[t];!0!==e||this._$AL.has(t)||r===void 0||this.C(t,void 0,n,r)}}let e=!1,t=this._$AL;try{e=this.shouldUpdate(t),e?(this.willUpdate(t),this._$EO?.forEach(e=>e.hostUpdate?.()),this.update(t)):this._$EM()}catch(t){throw e=!1,this._$EM(),t}e&&this._$AE(t)}willUpdate(e){}_$AE(e){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(e){}firstUpdated(e){}};g.elementStyles=[],g.shadowRootOptions={mode:`open`},g[h(`elementProperties`)]=new Map,g[h(`finalized`)]=new Map,re?.({ReactiveElement:g}),(ee.reactiveElementVersions??=[]).push(`2.1.2`);var se=globalThis,ce=e=>e,le=se.trustedTypes,ue=le?le.createPolicy(`lit-html`,{createHTML:e=>e}):void 0,de=`$lit$`,_=`lit$${Math.random().toFixed(9).slice(2)}$`,fe=`?`+_,pe=`<${fe}>`,v=document,y=()=>v.createComment(``),b=e=>e===null||typeof e!=`object`&&typeof e!=`function`,me=Array.isArray,he=e=>me(e)||typeof e?.[Symbol.iterator]==`function`,ge=`[ 	
\f\r]`,x=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,_e=/-->/g,ve=/>/g,S=RegExp(`>|${ge}(?:([^\\s"'>=/]+)(${ge}*=${ge}*(?:[^ \t\n\f\r"'\`<>=]|("|')|))|$)`,`g`),ye=/'/g,be=/"/g,xe=/^(?:script|style|textarea|title)$/i,Se=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),C=Se(1),Ce=Se(2),w=Symbol.for(`lit-noChange`),T=Symbol.for(`lit-nothing`),we=new WeakMap,E=v.createTreeWalker(v,129);function Te(e,t){if(!me(e)||!e.hasOwnProperty(`raw`))throw Error(`invalid template strings array`);return ue===void 0?t:ue.createHTML(t)}var Ee=(e,t)=>{let n=e.length-1,r=[],i,a=t===2?`<svg>`:t===3?`<math>`:``,o=x;for(let t=0;t<n;t++){let n=e[t],s,c,l=-1,u=0;for(;u<n.length&&(o.lastIndex=u,c=o.exec(n),c!==null);)u=o.lastIndex,o===x?c[1]===`!--`?o=_e:c[1]===void 0?c[2]===void 0?c[3]!==void 0&&(o=S):(xe.test(c[2])&&(i=RegExp(`</`+c[2],`g`)),o=S):o=ve:o===S?c[0]===`>`?(o=i??x,l=-1):c[1]===void 0?l=-2:(l=o.lastIndex-c[2].length,s=c[1],o=c[3]===void 0?S:c[3]===`"`?be:ye):o===be||o===ye?o=S:o===_e||o===ve?o=x:(o=S,i=void 0);let d=o===S&&e[t+1].startsWith(`/>`)?` `:``;a+=o===x?n+pe:l>=0?(r.push(s),n.slice(0,l)+de+n.slice(l)+_+d):n+_+(l===-2?t:d)}return[Te(e,a+(e[n]||`<?>`)+(t===2?`</svg>`:t===3?`</math>`:``)),r]},De=class e{constructor({strings:t,_$litType$:n},r){let i;this.parts=[];let a=0,o=0,s=t.length-1,c=this.parts,[l,u]=Ee(t,n);if(this.el=e.createElement(l,r),E.currentNode=this.el.content,n===2||n===3){let e=this.el.content.firstChild;e.replaceWith(...e.childNodes)}for(;(i=E.nextNode())!==null&&c.length<s;){if(i.nodeType===1){if(i.hasAttributes())for(let e of i.getAttributeNames())if(e.endsWith(de)){let t=u[o++],n=i.getAttribute(e).split(_),r=/([.?@])?(.*)/.exec(t);c.push({type:1,index:a,name:r[2],strings:n,ctor:r[1]===`.`?ke:r[1]===`?`?Ae:r[1]===`@`?je:k}),i.removeAttribute(e)}else e.startsWith(_)&&(c.push({type:6,index:a}),i.removeAttribute(e));if(xe.test(i.tagName)){let e=i.textContent.split(_),t=e.length-1;if(t>0){i.textContent=le?le.emptyScript:``;for(let n=0;n<t;n++)i.append(e[n],y()),E.nextNode(),c.push({type:2,index:++a});i.append(e[t],y())}}}else if(i.nodeType===8){if(i.data===fe)c.push({type:2,index:a});else{let e=-1;for(;(e=i.data.indexOf(_,e+1))!==-1;)c.push({type:7,index:a}),e+=_.length-1}}a++}}static createElement(e,t){let n=v.createElement(`template`);return n.innerHTML=e,n}};function D(e,t,n=e,r){if(t===w)return t;let i=r===void 0?n._$Cl:n._$Co?.[r],a=b(t)?void 0:t._$litDirective$;return i?.constructor!==a&&(i?._$AO?.(!1),a===void 0?i=void 0:(i=new a(e),i._$AT(e,n,r)),r===void 0?n._$Cl=i:(n._$Co??=[])[r]=i),i!==void 0&&(t=D(e,i._$AS(e,t.values),i,r)),t}var Oe=class{constructor(e,t){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=t}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:t},parts:n}=this._$AD,r=(e?.creationScope??v).importNode(t,!0);E.currentNode=r;let i=E.nextNode(),a=0,o=0,s=n[0];for(;s!==void 0;){if(a===s.index){let t;s.type===2?t=new O(i,i.nextSibling,this,e):s.type===1?t=new s.ctor(i,s.name,s.strings,this,e):s.type===6&&(t=new Me(i,this,e)),this._$AV.push(t),s=n[++o]}a!==s?.index&&(i=E.nextNode(),a++)}return E.currentNode=v,r}p(e){let t=0;for(let n of this._$AV)n!==void 0&&(n.strings===void 0?n._$AI(e[t]):(n._$AI(e,n,t),t+=n.strings.length-2)),t++}},O=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,t,n,r){this.type=2,this._$AH=T,this._$AN=void 0,this._$AA=e,this._$AB=t,this._$AM=n,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,t=this._$AM;return t!==void 0&&e?.nodeType===11&&(e=t.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,t=this){e=D(this,e,t),b(e)?e===T||e==null||e===``?(this._$AH!==T&&this._$AR(),this._$AH=T):e!==this._$AH&&e!==w&&this._(e):e._$litType$===void 0?e.nodeType===void 0?he(e)?this.k(e):this._(e):this.T(e):this.$(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==T&&b(this._$AH)?this._$AA.nextSibling.data=e:this.T(v.createTextNode(e)),this._$AH=e}$(e){let{values:t,_$litType$:n}=e,r=typeof n==`number`?this._$AC(e):(n.el===void 0&&(n.el=De.createElement(Te(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===r)this._$AH.p(t);else{let e=new Oe(r,this),n=e.u(this.options);e.p(t),this.T(n),this._$AH=e}}_$AC(e){let t=we.get(e.strings);return t===void 0&&we.set(e.strings,t=new De(e)),t}k(t){me(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,r,i=0;for(let a of t)i===n.length?n.push(r=new e(this.O(y()),this.O(y()),this,this.options)):r=n[i],r._$AI(a),i++;i<n.length&&(this._$AR(r&&r._$AB.nextSibling,i),n.length=i)}_$AR(e=this._$AA.nextSibling,t){for(this._$AP?.(!1,!0,t);e!==this._$AB;){let t=ce(e).nextSibling;ce(e).remove(),e=t}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},k=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,t,n,r,i){this.type=1,this._$AH=T,this._$AN=void 0,this.element=e,this.name=t,this._$AM=r,this.options=i,n.length>2||n[0]!==``||n[1]!==``?(this._$AH=Array(n.length-1).fill(new String),this.strings=n):this._$AH=T}_$AI(e,t=this,n,r){let i=this.strings,a=!1;if(i===void 0)e=D(this,e,t,0),a=!b(e)||e!==this._$AH&&e!==w,a&&(this._$AH=e);else{let r=e,o,s;for(e=i[0],o=0;o<i.length-1;o++)s=D(this,r[n+o],t,o),s===w&&(s=this._$AH[o]),a||=!b(s)||s!==this._$AH[o],s===T?e=T:e!==T&&(e+=(s??``)+i[o+1]),this._$AH[o]=s}a&&!r&&this.j(e)}j(e){e===T?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??``)}},ke=class extends k{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===T?void 0:e}},Ae=class extends k{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==T)}},je=class extends k{constructor(e,t,n,r,i){super(e,t,n,r,i),this.type=5}_$AI(e,t=this){if((e=D(this,e,t,0)??T)===w)return;let n=this._$AH,r=e===T&&n!==T||e.capture!==n.capture||e.once!==n.once||e.passive!==n.passive,i=e!==T&&(n===T||r);r&&this.element.removeEventListener(this.name,this,n),i&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH==`function`?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},Me=class{constructor(e,t,n){this.element=e,this.type=6,this._$AN=void 0,this._$AM=t,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(e){D(this,e)}},Ne={M:de,P:_,A:fe,C:1,L:Ee,R:Oe,D:he,V:D,I:O,H:k,N:Ae,U:je,B:ke,F:Me};(0,se.litHtmlPolyfillSupport)?.(De,O),(se.litHtmlVersions??=[]).push(`3.3.3`);var Pe=(e,t,n)=>{let r=n?.renderBefore??t,i=r._$litPart$;if(i===void 0){let e=n?.renderBefore??null;r._$litPart$=i=new O(t.insertBefore(y(),e),e,void 0,n??{})}return i._$AI(e),i},Fe=globalThis,A=class extends g{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let t=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=Pe(t,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return w}};A._$litElement$=!0,A.finalized=!0,Fe.litElementHydrateSupport?.({LitElement:A}),(0,Fe.litElementPolyfillSupport)?.({LitElement:A}),(Fe.litElementVersions??=[]).push(`4.2.2`);var j=e=>(t,n)=>{n===void 0?customElements.define(e,t):n.addInitializer(()=>{customElements.define(e,t)})},Ie={attribute:!0,type:String,converter:ie,reflect:!1,hasChanged:ae},Le=(e=Ie,t,n)=>{let{kind:r,metadata:i}=n,a=globalThis.litPropertyMetadata.get(i);if(a===void 0&&globalThis.litPropertyMetadata.set(i,a=new Map),r===`setter`&&((e=Object.create(e)).wrapped=!0),a.set(n.name,e),r===`accessor`){let{name:r}=n;return{set(n){let i=t.get.call(this);t.set.call(this,n),this.requestUpdate(r,i,e,!0,n)},init(t){return t!==void 0&&this.C(r,void 0,e,t),t}}}if(r===`setter`){let{name:r}=n;return function(n){let i=this[r];t.call(this,n),this.requestUpdate(r,i,e,!0,n)}}throw Error(`Unsupported decorator location: `+r)};function M(e){return(t,n)=>typeof n==`object`?Le(e,t,n):((e,t,n)=>{let r=t.hasOwnProperty(n);return t.constructor.createProperty(n,e),r?Object.getOwnPropertyDescriptor(t,n):void 0})(e,t,n)}function N(e){return M({...e,state:!0,attribute:!1})}var Re=(e,t,n)=>(n.configurable=!0,n.enumerable=!0,Reflect.decorate&&typeof t!=`object`&&Object.defineProperty(e,t,n),n);function ze(e,t){return(n,r,i)=>{let a=t=>t.renderRoot?.querySelector(e)??null;if(t){let{get:e,set:t}=typeof r==`object`?n:i??(()=>{let e=Symbol();return{get(){return this[e]},set(t){this[e]=t}}})();return Re(n,r,{get(){let n=e.call(this);return n===void 0&&(n=a(this),(n!==null||this.hasUpdated)&&t.call(this,n)),n}})}return Re(n,r,{get(){return a(this)}})}}var Be=2e3;function Ve(e,t,n,r){let i,a,o=0,s=()=>{let c=++o;clearTimeout(a),e.subscribeMessage(n,t,{resubscribe:!1}).then(e=>{c===o?(i=e,r(!0)):e().catch(()=>void 0)},()=>{c===o&&(r(!1),a=setTimeout(s,Be))})},c=()=>{o+=1,clearTimeout(a),i=void 0,r(!1)};return e.addEventListener(`ready`,s),e.addEventListener(`disconnected`,c),s(),()=>{e.removeEventListener(`ready`,s),e.removeEventListener(`disconnected`,c),o+=1,clearTimeout(a),i?.().catch(()=>void 0)}}function He(e,t,n,r){let i,a,o=!1,s=()=>{let c=i=new EventSource(e),l=async()=>{c.close(),await r()&&!o&&(a=setTimeout(s,Be))};c.onopen=()=>n(!0),c.onmessage=e=>t(JSON.parse(e.data)),c.addEventListener(`end`,()=>void l()),c.onerror=()=>{n(!1),c.readyState===EventSource.CLOSED&&l()}};return s(),()=>{o=!0,clearTimeout(a),i?.close()}}var Ue=e=>({setHomeOnly:async t=>{await e(`home_only`,{enabled:t})},checkDiscovery:()=>e(`discovery/check`)}),We=class extends Error{constructor(e,t){super(t),this.code=e}},Ge=e=>e instanceof Error?e.message:String(e),Ke=e=>({why:t=>e(`why`,{...t}),callers:()=>e(`callers`),models:()=>e(`models`),setAlias:({name:t,targets:n,strategy:r},i=!1)=>e(`models/set`,{name:t,targets:n,strategy:r,new:i}),removeAlias:t=>e(`models/remove`,{name:t}),setStrategy:t=>e(`models/strategy`,{strategy:t})}),qe=e=>e??T,Je={alert:`ha-alert`,button:`ha-button`,card:`ha-card`,menu:`ha-menu-button`,spinner:`ha-spinner`,switch:`ha-switch`},P=new Set;async function Ye(e){let t=new Promise(t=>setTimeout(t,e)),n=Object.entries(Je);await Promise.all(n.map(([e,n])=>Promise.race([customElements.whenDefined(n).then(()=>void P.add(e)),t])))}function Xe(e,t=`error`){return P.has(`alert`)?C`<ha-alert alert-type=${t} class="below">${e}</ha-alert>`:C`<p class=${t} role="alert">${e}</p>`}function F(e,t=``){let n=C`${t?C`<h2>${t}</h2>`:T}${e}`;return P.has(`card`)?C`<ha-card><div class="inside">${n}</div></ha-card>`:C`<div class="card">${n}</div>`}function Ze(e,t,n,{disabled:r=!1,description:i}={}){let a=async e=>{let r=e.target;await n(r.checked)||(r.checked=t)};return P.has(`switch`)?C`<ha-switch .checked=${t} .disabled=${r} @change=${a}>${e}</ha-switch>`:C`<label class="switch">
    <input
      type="checkbox"
      role="switch"
      aria-describedby=${qe(i)}
      .checked=${t}
      ?disabled=${r}
      @change=${a}
    />
    ${e}
  </label>`}function Qe(e){return P.has(`spinner`)?C`<p class="quiet row"><ha-spinner size="small" aria-label=${e}></ha-spinner>${e}</p>`:C`<p class="quiet">${e}</p>`}function $e(e,t,n){return P.has(`menu`)?C`<ha-menu-button .hass=${e} .narrow=${t}></ha-menu-button>`:t?C`<button
    class="menu"
    aria-label=${n}
    @click=${e=>e.target?.dispatchEvent(new CustomEvent(`hass-toggle-menu`,{bubbles:!0,composed:!0}))}
  >
    ☰
  </button>`:T}var I=o`
  :host {
    --zai-text: var(--primary-text-color, #212121);
    --zai-quiet: var(--secondary-text-color, #5f6368);
    --zai-line: var(--divider-color, rgba(0, 0, 0, 0.12));
    --zai-surface: var(--card-background-color, #fff);
    --zai-accent: var(--primary-color, #009ac7);
    /* The accent alone has too little contrast for text. */
    --zai-link: color-mix(in srgb, var(--zai-accent) 70%, var(--zai-text));
    --zai-good: var(--success-color, #0f7b37);
    --zai-warn: var(--warning-color, #a35c00);
    --zai-bad: var(--error-color, #b3261e);
    --zai-bad-text: color-mix(in srgb, var(--zai-bad) 70%, var(--zai-text));
    color: var(--zai-text);
    display: block;
  }
  * {
    box-sizing: border-box;
  }
  .card {
    background: var(--zai-surface);
    border: 1px solid var(--zai-line);
    border-radius: var(--ha-card-border-radius, 12px);
    padding: 16px;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card {
    display: block;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card > .inside {
    padding: 16px;
  }
  ha-card p {
    margin: 8px 0;
  }
  ha-alert {
    display: block;
  }
  h2 {
    font-size: 1.15rem;
    font-weight: 500;
    margin: 0 0 12px;
  }
  .quiet {
    color: var(--zai-quiet);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 8px 16px;
    align-items: center;
  }
  .end {
    align-items: end;
  }
  .spread {
    justify-content: space-between;
  }
  .above {
    margin-top: 12px;
  }
  .below {
    margin-bottom: 12px;
  }
  .around {
    margin: 8px 0;
  }
  .card p {
    margin: 8px 0;
  }
  .scroll {
    position: relative;
    overflow-x: auto;
  }
  table {
    border-collapse: collapse;
    width: 100%;
    font-size: 0.95rem;
  }
  th,
  td {
    text-align: start;
    padding: 8px 12px 8px 0;
    border-bottom: 1px solid var(--zai-line);
    vertical-align: top;
  }
  caption {
    text-align: start;
    padding: 12px 0 4px;
  }
  th {
    font-weight: 500;
    color: var(--zai-quiet);
    white-space: nowrap;
  }
  td.number,
  th.number {
    text-align: end;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
    background: var(--zai-surface);
    border: 1px solid var(--input-outlined-idle-border-color, var(--zai-quiet));
    border-radius: 8px;
    padding: 8px 12px;
    min-height: 40px;
    max-width: 100%;
  }
  textarea {
    width: 100%;
  }
  button {
    cursor: pointer;
  }
  button.main {
    background: var(--zai-link);
    border-color: var(--zai-link);
    color: var(--zai-surface);
  }
  button.danger {
    color: var(--zai-bad-text);
    border-color: var(--zai-bad);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--zai-accent);
    outline-offset: 2px;
  }
  a {
    color: var(--zai-link);
  }
  label {
    display: inline-flex;
    flex-direction: column;
    gap: 4px;
    font-size: 0.9rem;
    color: var(--zai-quiet);
  }
  label > * {
    font-size: 1rem;
  }
  label.switch {
    flex-direction: row;
    align-items: center;
    gap: 12px;
    min-height: 40px;
    font-size: 1rem;
    color: inherit;
    cursor: pointer;
  }
  label.switch input {
    appearance: none;
    width: 44px;
    min-height: 24px;
    height: 24px;
    padding: 0;
    border-radius: 12px;
    background: radial-gradient(circle at 12px 50%, var(--zai-quiet) 8px, transparent 8.5px);
  }
  label.switch input:checked {
    border-color: var(--zai-link);
    background: radial-gradient(circle at 30px 50%, var(--zai-surface) 8px, transparent 8.5px) var(--zai-link);
  }
  label.wide {
    display: flex;
  }
  .sentence {
    font-size: 1.2rem;
  }
  dl {
    display: grid;
    grid-template-columns: max-content 1fr;
    gap: 4px 16px;
    margin: 8px 0 0;
  }
  dd {
    margin: 0;
  }
  dd ol {
    margin: 0;
    padding-inline-start: 20px;
  }
  li + li {
    margin-top: 8px;
  }
  pre {
    background: var(--secondary-background-color, #f1f1f1);
    border-radius: 8px;
    padding: 12px;
    overflow-x: auto;
    font-size: 0.85rem;
    margin: 8px 0;
  }
  .error {
    color: var(--zai-bad-text);
  }
  .warning {
    margin: 0 0 16px;
    padding: 12px;
    border-radius: 8px;
    border: 1px solid var(--zai-warn);
    background: var(--zai-surface);
  }
  .bar {
    height: 10px;
    border-radius: 5px;
    background: var(--zai-line);
    overflow: hidden;
  }
  .bar > div {
    height: 100%;
    background: var(--zai-good);
  }
  .bar.parts {
    display: flex;
  }
  .bar > .quiet-part {
    background: var(--zai-quiet);
  }
  .bar > .rest {
    flex: 1;
  }
  .bar.near > div {
    background: var(--zai-warn);
  }
  .bar.spent > div {
    background: var(--zai-bad);
  }
  .badge {
    display: inline-flex;
    gap: 6px;
    align-items: center;
    font-size: 0.9rem;
  }
  .badge::before {
    content: "";
    width: 10px;
    height: 10px;
    border-radius: 50%;
    background: var(--zai-quiet);
  }
  .badge.healthy::before {
    background: var(--zai-good);
  }
  .badge.degraded::before,
  .badge.resting::before {
    background: var(--zai-warn);
  }
  .badge.offline::before,
  .badge.unauthorized::before {
    background: var(--zai-bad);
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;function L(e,t,n){let r=Math.abs(e),i=r>0&&r<.1?Math.min(9,Math.max(4,1-Math.floor(Math.log10(r)))):2;try{return new Intl.NumberFormat(n,{style:`currency`,currency:t,maximumFractionDigits:i}).format(e)}catch{return`${e.toFixed(i)} ${t}`}}function R(e,t){return Object.entries(e).filter(([,e])=>e!==0).map(([e,n])=>L(n,e,t)).join(` + `)}var z=(e,t)=>new Intl.NumberFormat(t).format(e);function et(e,t){let[n,r,i]=e<1e3?[e,`millisecond`,0]:e<12e4?[e/1e3,`second`,1]:[e/6e4,`minute`,0];return new Intl.NumberFormat(t,{style:`unit`,unit:r,unitDisplay:`short`,maximumFractionDigits:i}).format(n)}function B(e,t){let n=new Date(typeof e==`number`?e*1e3:e);return new Intl.DateTimeFormat(t,{dateStyle:`short`,timeStyle:`medium`}).format(n)}function tt(e){let t=String(e.getMonth()+1).padStart(2,`0`);return`${e.getFullYear()}-${t}-${String(e.getDate()).padStart(2,`0`)}`}function V(e,t,n,r){var i=arguments.length,a=i<3?t:r===null?r=Object.getOwnPropertyDescriptor(t,n):r,o;if(typeof Reflect==`object`&&typeof Reflect.decorate==`function`)a=Reflect.decorate(e,t,n,r);else for(var s=e.length-1;s>=0;s--)(o=e[s])&&(a=(i<3?o(a):i>3?o(t,n,a):o(t,n))||a);return i>3&&a&&Object.defineProperty(t,n,a),a}var H=class extends A{constructor(...e){super(...e),this.live=null,this.language=`en`,this.narrow=!1,this.error=``,this.busy=!1}static{this.styles=I}async run(e){this.busy=!0,this.error=``;try{await e()}catch(e){this.error=Ge(e)}finally{this.busy=!1}}errorLine(){return this.error?Xe(this.error):T}};V([M({attribute:!1})],H.prototype,`api`,void 0),V([M({attribute:!1})],H.prototype,`texts`,void 0),V([M({attribute:!1})],H.prototype,`live`,void 0),V([M()],H.prototype,`language`,void 0),V([M({type:Boolean})],H.prototype,`narrow`,void 0),V([N()],H.prototype,`error`,void 0),V([N()],H.prototype,`busy`,void 0);function U(e,t){let n=e.get(t);return typeof n==`string`?n.trim():``}var W=class extends H{constructor(...e){super(...e),this.budgets=null,this.keys=[],this.scope=`household`}connectedCallback(){super.connectedCallback(),this.run(()=>this.load())}async load(){[this.budgets,{keys:this.keys}]=await Promise.all([this.api.budgets(),this.api.keys()])}render(){let{texts:e}=this;return C`<form class="card row" @submit=${e=>this.save(e)}>
        <label
          >${e(`budgets.for`)}
          <select
            name="scope"
            @change=${e=>this.scope=e.target.value}
          >
            ${[`household`,`key`,`backend`].map(t=>C`<option value=${t}>${e(`budgets.${t}`)}</option>`)}
          </select>
        </label>
        ${this.subjects()}
        <label>${e(`budgets.amount`)} <input name="amount" type="number" min="0" step="0.01" required /></label>
        <label
          >${e(`budgets.each`)}
          <select name="period">
            ${[`month`,`week`,`day`].map(t=>C`<option value=${t}>${e(`common.${t}`)}</option>`)}
          </select>
        </label>
        <label
          >${e(`budgets.then`)}
          <select name="action">
            ${[`free_only`,`refuse`].map(t=>C`<option value=${t}>${e(`budgets.${t}`)}</option>`)}
          </select>
        </label>
        <button class="main" ?disabled=${this.busy}>${e(`budgets.save`)}</button>
      </form>
      ${this.errorLine()}
      ${this.budgets?.length===0?C`<div class="card quiet">${e(`budgets.empty`)}</div>`:T}
      ${this.budgets?.map(e=>this.budget(e))}`}subjects(){if(this.scope===`household`)return T;let e=this.scope===`key`?this.keys.map(({key_id:e,name:t})=>[e,t]):(this.live?.members??[]).filter(e=>e.kind===`backend`).map(({id:e,name:t})=>[e,t]);return C`<label
      >${this.texts(`budgets.${this.scope}`)}
      <select name="subject" required>
        ${e.map(([e,t])=>C`<option value=${e??``}>${t}</option>`)}
      </select>
    </label>`}budget(e){let{texts:t,language:n}=this;return C`<div class="card">
      <div class="row spread">
        <b>${e.owner}</b>
        <span class="quiet">${t(`common.${e.period}`)} · ${t(`budgets.${e.action}`)}</span>
      </div>
      <p>
        ${t(`budgets.spent`,{spent:e.spent.toFixed(2),amount:e.amount.toFixed(2)})}
        (${z(Math.round(e.percent),n)} %) ·
        ${t(`budgets.renews`,{when:B(e.renews,n)})}
      </p>
      <div
        class="bar ${e.percent>=100?`spent`:e.percent>=Math.min(...e.thresholds,100)?`near`:``}"
        role="meter"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${Math.min(100,e.percent)}
        aria-label=${e.owner}
      >
        <div .style=${`width: ${Math.min(100,e.percent)}%`}></div>
      </div>
      <div class="row above">
        <button ?disabled=${this.busy} @click=${()=>this.change(()=>this.api.resetBudget(e))}>
          ${t(`budgets.reset`)}
        </button>
        <button class="danger" ?disabled=${this.busy} @click=${()=>this.change(()=>this.api.removeBudget(e))}>
          ${t(`budgets.remove`)}
        </button>
      </div>
    </div>`}save(e){e.preventDefault();let t=new FormData(e.target);this.change(()=>this.api.setBudget({scope:U(t,`scope`),subject:U(t,`subject`),period:U(t,`period`),amount:Number(U(t,`amount`)),action:U(t,`action`)}))}change(e){return this.run(async()=>{await e(),await this.load()})}};V([N()],W.prototype,`budgets`,void 0),V([N()],W.prototype,`keys`,void 0),V([N()],W.prototype,`scope`,void 0),W=V([j(`zai-budgets`)],W);var nt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},rt=e=>(...t)=>({_$litDirective$:e,values:t}),it=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:at}=Ne,ot=e=>e,st=()=>document.createComment(``),G=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new at(r.insertBefore(st(),i),r.insertBefore(st(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=ot(e).nextSibling;ot(r).insertBefore(e,i),e=t}}}return n},K=(e,t,n=e)=>(e._$AI(t,n),e),ct={},lt=(e,t=ct)=>e._$AH=t,ut=e=>e._$AH,dt=e=>{e._$AR(),e._$AA.remove()},ft=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},q=rt(class extends it{constructor(e){if(super(e),e.type!==nt.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=ut(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=K(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=K(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=K(i[d],a[m]),G(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=K(i[f],a[p]),G(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=ft(o,p,m),u=ft(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=G(e,i[d]);K(t,a[p]),c[p]=t}else c[p]=K(n,a[p]),G(e,i[d],n),i[t]=null;p++}else dt(i[f]),f--}else dt(i[d]),d++;for(;p<=m;){let t=G(e,c[m+1]);K(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&dt(e)}return this.ut=o,lt(e,c),w}}),J=class extends H{constructor(...e){super(...e),this.keys=null,this.created=null,this.copied=``,this.baseUrl=``,this.asked=null}connectedCallback(){super.connectedCallback(),this.run(()=>this.load())}async load(){let e=await this.api.keys();this.keys=e.keys,this.baseUrl=e.base_url}render(){let{texts:e}=this;return C`${this.api.isAdmin?C`<form class="card row" @submit=${e=>this.create(e)}>
            <label>${e(`keys.name`)} <input name="name" required maxlength="100" autocomplete="off" /></label>
            <button class="main" ?disabled=${this.busy}>${e(`keys.create`)}</button>
            <span class="quiet">${e(`keys.name_hint`)}</span>
          </form>`:T}
    ${this.errorLine()} ${this.created?this.secret(this.created):T}
    ${this.keys===null?T:this.keys.length===0?C`<div class="card quiet">${e(this.api.isAdmin?`keys.empty`:`keys.none_of_yours`)}</div>`:C`<div class="card scroll" tabindex="0">${this.table(this.keys)}</div>`}`}table(e){let{texts:t,language:n}=this;return C`<table>
      <thead>
        <tr>
          <th scope="col">${t(`keys.name`)}</th>
          <th scope="col">${t(`keys.secret`)}</th>
          <th scope="col">${t(`keys.last_used`)}</th>
          <th scope="col" class="number">${t(`keys.requests_month`)}</th>
          <th scope="col" class="number">${t(`keys.cost_month`)}</th>
          <th scope="col"><span class="visually-hidden">${t(`keys.actions`)}</span></th>
        </tr>
      </thead>
      <tbody>
        ${q(e,e=>e.key_id,e=>C`<tr>
              <td>
                ${e.name}${e.user_name?C`<div class="quiet">${e.user_name}</div>`:T}
                ${e.enabled?T:C`<div class="error">${t(`keys.disabled`)}</div>`}
              </td>
              <td><code>${e.prefix}…</code></td>
              <td>${e.last_used?B(e.last_used,n):t(`keys.never`)}</td>
              <td class="number">${z(e.requests_month,n)}</td>
              <td class="number">${R(e.cost_month,n)}</td>
              <td><div class="row">${this.actions(e)}</div></td>
            </tr>`)}
      </tbody>
    </table>`}actions(e){let{texts:t}=this;return this.asked===e.key_id?C`<span>${t(`keys.sure`,{name:e.name})}</span>
        <button class="danger" @click=${()=>this.revoke(e)}>${t(`keys.revoke`)}</button>
        <button @click=${()=>this.asked=null}>${t(`common.cancel`)}</button>`:C`<button ?disabled=${this.busy} @click=${()=>this.rotate(e)}>${t(`keys.rotate`)}</button>
      ${this.api.isAdmin?C`<button ?disabled=${this.busy} @click=${()=>this.enable(e)}>
              ${t(e.enabled?`keys.disable`:`keys.enable`)}
            </button>`:T}
      <button class="danger" ?disabled=${this.busy} @click=${()=>this.asked=e.key_id}>
        ${t(`keys.revoke`)}
      </button>`}secret(e){let{texts:t}=this,n=[[t(`keys.secret`),e.key],[t(`keys.base_url`),this.baseUrl],[`curl`,e.curl],[`Python`,e.python]];return C`<div class="card" role="status">
      <h2>${t(`keys.created`,{name:e.name})}</h2>
      <p>${t(`keys.once`)}</p>
      ${n.map(([e,n])=>C`<div class="row spread">
              <b>${e}</b>
              <button aria-label=${t(`keys.copy`,{what:e})} @click=${()=>this.copy(e,n)}>
                ${t(this.copied===e?`common.copied`:`common.copy`)}
              </button>
            </div>
            <pre tabindex="0">${n}</pre>`)}
      <button @click=${()=>this.created=null}>${t(`common.done`)}</button>
    </div>`}create(e){e.preventDefault();let t=e.target,n=U(new FormData(t),`name`);n&&this.run(async()=>{this.created=await this.api.createKey(n),this.copied=``,t.reset(),await this.load()})}rotate(e){return this.run(async()=>{this.created=await this.api.rotateKey(e.key_id),this.copied=``,await this.load()})}enable(e){return this.run(async()=>{await this.api.enableKey(e.key_id,!e.enabled),await this.load()})}revoke(e){return this.asked=null,this.run(async()=>{await this.api.revokeKey(e.key_id),await this.load()})}async copy(e,t){await pt(t,this.renderRoot),this.copied=e}};V([N()],J.prototype,`keys`,void 0),V([N()],J.prototype,`created`,void 0),V([N()],J.prototype,`copied`,void 0),V([N()],J.prototype,`baseUrl`,void 0),V([N()],J.prototype,`asked`,void 0),J=V([j(`zai-keys`)],J);async function pt(e,t){let n=navigator.clipboard;if(n)return n.writeText(e);let r=document.createElement(`textarea`);r.value=e,t.append(r),r.select(),document.execCommand(`copy`),r.remove()}var Y=class extends A{constructor(...e){super(...e),this.known=[],this.strategies=[],this.editable=!1,this.busy=!1,this.dragged=null,this.moved=``}static{this.styles=[I,o`
      ol {
        margin: 8px 0;
        padding: 0;
      }
      li {
        display: flex;
        align-items: center;
        gap: 8px;
        list-style: none;
        padding: 4px 0;
        border-bottom: 1px solid var(--zai-line);
      }
      li + li {
        margin: 0;
      }
      li[draggable="true"] {
        cursor: grab;
      }
      li[data-dragged] {
        opacity: 0.4;
      }
      li span {
        flex: 1;
      }
      form.row {
        align-items: end;
      }
      label {
        max-width: 100%;
      }
      li button {
        min-width: 40px;
        padding: 4px;
      }
    `]}render(){let{alias:e,texts:t,editable:n}=this;return C`<section class="card" aria-label=${e.name}>
      <div class="row spread">
        <h2>${e.name}</h2>
        ${n&&!e.fixed?C`<button class="danger" ?disabled=${this.busy} @click=${()=>this.send({remove:e.name})}>
                ${t(`models.remove`,{name:e.name})}
              </button>`:T}
      </div>
      <p>${this.meaning()}</p>
      ${e.left_out.map(e=>C`<p class="quiet">${e}</p>`)}
      <p class="quiet">${t(`models.chain`)}</p>
      <ol>
        ${q(e.targets,e=>e,(e,t)=>this.target(e,t))}
      </ol>
      <p class="visually-hidden" role="status">${this.moved}</p>
      ${n?this.form():C`<p class="quiet">${this.strategyInWords()}</p>`}
    </section>`}meaning(){let{alias:e,texts:t}=this,[n,...r]=e.answers;if(n===void 0)return C`<span class="error">${e.error??t(`models.nobody`)}</span>`;let i=r.map(({backend:e,model:t})=>`${e} (${t})`).join(`, `);return`${t(`models.now`,{backend:n.backend,model:n.model})}${i?` ${t(`models.otherwise`,{others:i})}`:``}`}strategyInWords(){let{alias:e,texts:t}=this;return t(e.strategy===null?`models.gateways_strategy`:`strategy_sentences.${e.strategy}`)}target(e,t){let{texts:n,editable:r}=this;return C`<li
      draggable=${r?`true`:`false`}
      ?data-dragged=${this.dragged===e}
      @dragstart=${()=>this.dragged=e}
      @dragend=${()=>this.dragged=null}
      @dragover=${e=>e.preventDefault()}
      @drop=${()=>this.drop(t)}
    >
      <span>${e===`auto`?n(`models.any`):e}</span>
      ${r?this.buttons(e,t):T}
    </li>`}buttons(e,t){let{texts:n,alias:r,busy:i}=this,a=r.targets.length-1;return C`<button
        data-move="up"
        ?disabled=${t===0||i}
        aria-label=${n(`providers.up`,{name:e})}
        @click=${()=>this.move(t,t-1)}
      >
        ↑
      </button>
      <button
        data-move="down"
        ?disabled=${t===a||i}
        aria-label=${n(`providers.down`,{name:e})}
        @click=${()=>this.move(t,t+1)}
      >
        ↓
      </button>
      <button
        ?disabled=${a===0||i}
        aria-label=${n(`models.leave_out`,{name:e})}
        @click=${()=>this.change(r.targets.filter(t=>t!==e))}
      >
        ✕
      </button>`}form(){let{texts:e,alias:t}=this;return C`<form class="row" @submit=${e=>this.add(e)}>
      <label
        >${e(`models.add_target`)}
        <input name="target" list="known" required maxlength="256" autocomplete="off" />
        <datalist id="known">
          ${this.known.filter(e=>e!==t.name&&!t.targets.includes(e)).map(e=>C`<option value=${e}></option>`)}
        </datalist>
      </label>
      <button ?disabled=${this.busy}>${e(`models.add`)}</button>
      <label
        >${e(`models.strategy`)}
        <select
          ?disabled=${this.busy}
          @change=${e=>this.change(t.targets,e.target.value||null)}
        >
          <option value="" ?selected=${t.strategy===null}>${e(`models.gateways_strategy`)}</option>
          ${this.strategies.map(n=>C`<option value=${n} ?selected=${n===t.strategy}>
                ${e(`strategy_sentences.${n}`)}
              </option>`)}
        </select>
      </label>
    </form>`}add(e){e.preventDefault();let t=e.target,n=U(new FormData(t),`target`);n&&this.change([...this.alias.targets,n]),t.reset()}drop(e){let t=this.alias.targets.indexOf(this.dragged??``);this.dragged=null,t>=0&&this.move(t,e)}move(e,t){let n=[...this.alias.targets],[r]=n.splice(e,1);r!==void 0&&e!==t&&(n.splice(t,0,r),this.change(n),this.moved=this.texts(`models.moved`,{name:r,place:t+1}),this.keepFocus(t,t<e?`up`:`down`))}async keepFocus(e,t){await new Promise(e=>this.addEventListener(`saved`,e,{once:!0})),await this.updateComplete;let n=this.renderRoot.querySelectorAll(`li`)[e]?.querySelectorAll(`button[data-move]:not(:disabled)`);([...n??[]].find(e=>e.dataset.move===t)??n?.[0])?.focus()}change(e,t=this.alias.strategy){this.send({alias:{...this.alias,targets:e,strategy:t}})}send(e){this.dispatchEvent(new CustomEvent(`change-alias`,{detail:e}))}};V([M({attribute:!1})],Y.prototype,`alias`,void 0),V([M({attribute:!1})],Y.prototype,`texts`,void 0),V([M({attribute:!1})],Y.prototype,`known`,void 0),V([M({attribute:!1})],Y.prototype,`strategies`,void 0),V([M({type:Boolean})],Y.prototype,`editable`,void 0),V([M({type:Boolean})],Y.prototype,`busy`,void 0),V([N()],Y.prototype,`dragged`,void 0),V([N()],Y.prototype,`moved`,void 0),Y=V([j(`zai-alias-card`)],Y);var mt=50,X=class extends A{constructor(...e){super(...e),this.language=`en`,this.wanted=``,this.rows=mt}static{this.styles=I}render(){let{texts:e,language:t}=this,n=this.wanted.toLowerCase().split(/\s+/),r=this.models.models.flatMap(({id:e,providers:t})=>t.filter(t=>{let r=`${e} ${t.backend} ${t.capabilities?.join(` `)??``}`.toLowerCase();return n.every(e=>r.includes(e))}).map(t=>({id:e,provider:t})));return C`<div class="card">
      <div class="row spread below">
        <h2>${e(`models.all`,{count:z(this.models.models_total,t)})}</h2>
        <label
          >${e(`models.find`)}
          <input
            type="search"
            @input=${e=>{this.wanted=e.target.value.trim(),this.rows=mt}}
          />
        </label>
      </div>
      ${r.length===0?C`<p class="quiet">${e(this.models.models_total===0?`models.none`:`models.none_found`)}</p>`:this.table(r)}
      ${r.length>this.rows?C`<button class="above" @click=${()=>this.rows+=200}>${e(`requests.more`)}</button>`:T}
    </div>`}table(e){let{texts:t,language:n}=this;return C`<div class="scroll" tabindex="0" role="region" aria-label=${t(`tabs.models`)}>
      <table>
        <thead>
          <tr>
            <th>${t(`requests.model`)}</th>
            <th>${t(`requests.provider`)}</th>
            <th class="number">${t(`models.window`)}</th>
            <th>${t(`models.can`)}</th>
            <th>${t(`models.price`)}</th>
          </tr>
        </thead>
        <tbody>
          ${e.slice(0,this.rows).map(({id:e,provider:r})=>C`<tr class=${r.online?``:`quiet`}>
                <td>${e}</td>
                <td>
                  ${r.backend}${r.warm?` (${t(`providers.warm`)})`:``}${r.online?``:` (${t(`states.offline`)})`}
                </td>
                <td class="number">
                  ${r.context_window===null?`–`:z(r.context_window,n)}
                </td>
                <td>
                  ${r.capabilities===null?`–`:r.capabilities.map(e=>t(`needs.${e}`)).join(`, `)}
                </td>
                <td>${this.price(r)}</td>
              </tr>`)}
        </tbody>
      </table>
    </div>`}price(e){let{price_prompt:t,price_completion:n,currency:r}=e;return t===null||n===null||r===null?this.texts(`costs.${e.cost}`):this.texts(`models.prices`,{prompt:L(t,r,this.language),completion:L(n,r,this.language)})}};V([M({attribute:!1})],X.prototype,`models`,void 0),V([M({attribute:!1})],X.prototype,`texts`,void 0),V([M()],X.prototype,`language`,void 0),V([N()],X.prototype,`wanted`,void 0),V([N()],X.prototype,`rows`,void 0),X=V([j(`zai-model-table`)],X);var ht=class extends H{constructor(...e){super(...e),this.models=null,this.seen=``}updated(e){if(!e.has(`live`)&&this.seen)return;let t=this.live?.members??[],n=JSON.stringify(t.map(e=>[e.id,e.state,e.enabled,e.priority,e.models_total,e.models.map(e=>e.warm)]));n!==this.seen&&(this.seen=n,this.run(()=>this.load()))}async load(){this.models=await this.api.routing.models()}render(){let{texts:e,models:t}=this;if(t===null)return C`${this.errorLine()}
        <p class="quiet">${e(`common.loading`)}</p>`;let n=[...t.aliases.map(e=>e.name),...t.models.map(e=>e.id)];return C`${this.errorLine()}
      <div class="card">
        <h2>${e(`models.strategy`)}</h2>
        ${this.strategy(t)}
        ${t.editable?T:C`<p class="quiet">${e(this.api.settings?`models.no_gateway`:`models.configured`)}</p>`}
      </div>
      ${q(t.aliases,e=>e.name,r=>C`<zai-alias-card
            .alias=${r}
            .texts=${e}
            .known=${n}
            .strategies=${t.strategies}
            .editable=${t.editable}
            .busy=${this.busy}
            @change-alias=${e=>this.change(e)}
          ></zai-alias-card>`)}
      ${t.editable?this.newAlias(n):T}
      <zai-model-table .models=${t} .texts=${e} .language=${this.language}></zai-model-table>`}strategy(e){let{texts:t}=this;return e.editable?C`<label class="wide"
      >${t(`models.strategy_for_all`)}
      <select
        ?disabled=${this.busy}
        @change=${e=>{let{value:t}=e.target;this.save(()=>this.api.routing.setStrategy(t))}}
      >
        ${e.strategies.map(n=>C`<option value=${n} ?selected=${n===e.strategy}>
              ${t(`strategy_sentences.${n}`)}
            </option>`)}
      </select>
    </label>`:C`<p>${t(`strategy_sentences.${e.strategy}`)}</p>`}newAlias(e){let{texts:t}=this;return C`<form class="card" @submit=${e=>this.create(e)}>
      <h2>${t(`models.new`)}</h2>
      <p class="quiet">${t(`models.new_hint`)}</p>
      <div class="row end">
        <label>${t(`models.name`)} <input name="name" required maxlength="256" autocomplete="off" /></label>
        <label
          >${t(`models.first`)}
          <input name="target" list="targets" required maxlength="256" autocomplete="off" />
          <datalist id="targets">${e.map(e=>C`<option value=${e}></option>`)}</datalist>
        </label>
        <button class="main" ?disabled=${this.busy}>${t(`models.create`)}</button>
      </div>
    </form>`}create(e){e.preventDefault();let t=e.target,n=new FormData(t),r={name:U(n,`name`),targets:[U(n,`target`)],strategy:null};this.save(async()=>{await this.api.routing.setAlias(r,!0),t.reset()})}async change(e){let{detail:t,target:n}=e;await this.save(()=>`remove`in t?this.api.routing.removeAlias(t.remove):this.api.routing.setAlias(t.alias)),await this.updateComplete,n?.dispatchEvent(new Event(`saved`))}save(e){return this.run(async()=>{await e(),await this.load()})}};V([N()],ht.prototype,`models`,void 0),ht=V([j(`zai-models`)],ht);function gt(e,t,n=[80]){let r=e>=Math.min(...n,100),i=Math.min(100,e);return C`<div
    class="bar ${e>=100?`spent`:r?`near`:``}"
    role="meter"
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${i}
    aria-label=${t}
  >
    <div .style=${`width: ${i}%`}></div>
  </div>`}var _t=class extends H{constructor(...e){super(...e),this.budgets=[],this.now=Date.now()/1e3}static{this.styles=[H.styles,o`
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        gap: 12px 32px;
      }
      li + li {
        margin-top: 0;
      }
      li.row {
        gap: 8px;
      }
    `]}connectedCallback(){super.connectedCallback(),this.clock=setInterval(()=>this.now=Date.now()/1e3,1e3)}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.clock)}willUpdate(e){e.has(`live`)&&this.live?.requests_today!==this.counted&&(this.counted=this.live?.requests_today,this.loadBudgets())}loadBudgets(){this.api.can.records&&this.api.budgets().then(e=>this.budgets=e,()=>void 0)}render(){let{live:e,texts:t}=this;if(e===null)return Qe(t(`common.loading`));if(e.members.length===0)return F(C`<p>${t(this.api.settings?`overview.nobody`:`overview.nobody_served`)}</p>
          ${this.api.settings?C`<a href=${this.api.settings}>${t(`overview.add`)}</a>`:T}`,t(`overview.nobody_title`));let n=e.running_total-e.running.length;return C`${F(this.state(e))} ${F(this.status(e),t(`overview.status`))}
    ${F(C`${this.running(e.running)}
      ${n>0?C`<p class="quiet">${t(`overview.more`,{count:n})}</p>`:T}`,t(`overview.running`))}
    ${F(this.usage(e),t(`overview.costs`))}`}state(e){let{texts:t}=this,n=e.last_failover;return C`<p role="status" class="sentence">${this.sentence()}</p>
      ${n?C`<p class="quiet">
              ${t(`overview.failover`,{from:n.backend,to:n.to,when:B(n.when,this.language),reason:n.reason})}
            </p>`:T}
      ${Ze(t(`overview.home_only`),e.home_only,e=>this.keepAtHome(e),{disabled:this.busy,description:`home-only`})}
      <p class="quiet" id="home-only">${t(e.home_only?`overview.home_only_on`:`overview.home_only_off`)}</p>
      ${this.errorLine()}`}status(e){let{texts:t,language:n}=this;return C`<ul class="row">
      ${e.members.filter(e=>e.enabled).map(e=>C`<li class="row" title=${qe(e.reason??void 0)}>
              <b>${e.name}</b>
              <span class="badge ${e.state}">${t(`states.${e.known?e.state:`unknown`}`)}</span>
              ${e.running?C`<span class="quiet"
                      >${e.limit===null?t(`overview.load`,{running:z(e.running,n)}):t(`overview.load_of`,{running:z(e.running,n),limit:z(e.limit,n)})}</span
                    >`:T}
            </li>`)}
    </ul>`}usage(e){let{texts:t,language:n}=this;return C`<div class="row">
        <span>${t(`overview.today`)}: <b>${this.costs(e.cost_today)}</b></span>
        <span>${t(`overview.month`)}: <b>${this.costs(e.cost_month)}</b></span>
        <span>${t(`overview.requests_today`)}: <b>${z(e.requests_today,n)}</b></span>
      </div>
      ${this.budgets.map(e=>C`<p>
              ${t(`overview.budget`,{owner:e.owner,period:t(`common.${e.period}`)})}:
              ${z(Math.round(e.percent),n)} %
            </p>
            ${gt(e.percent,e.owner,e.thresholds)}`)}`}async keepAtHome(e){return await this.run(()=>this.api.finding.setHomeOnly(e)),!this.error}costs(e){return R(e,this.language)||this.texts(`common.nothing`)}sentence(){let{live:e,texts:t}=this;if(e===null)return``;let n=e.members.filter(e=>e.enabled&&[`healthy`,`degraded`].includes(e.state));return`${n.length===0?t(`overview.none_answers`):e.last_answer?t(`overview.answers`,e.last_answer):t(`overview.ready`,{count:n.length})}; ${e.waiting?t(`overview.waiting`,{count:e.waiting}):t(`overview.nothing_waits`)}; ${t(`overview.costs_today`,{cost:this.costs(e.cost_today)})}`}running(e){let{texts:t}=this;return e.length===0?C`<p class="quiet">${t(`overview.idle`)}</p>`:C`<div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${t(`requests.who`)}</th>
            <th scope="col">${t(`requests.model`)}</th>
            <th scope="col">${t(`requests.provider`)}</th>
            <th scope="col" class="number">${t(`overview.since`)}</th>
          </tr>
        </thead>
        <tbody>
          ${q(e,e=>e.id,e=>C`<tr>
                <td>${e.who||t(`sources.${e.source}`)}</td>
                <td>${e.model??e.requested_model}</td>
                <td>${e.backend_name??t(`overview.waits`)}</td>
                <td class="number">${et(Math.max(0,this.now-e.started)*1e3,this.language)}</td>
              </tr>`)}
        </tbody>
      </table>
    </div>`}};V([N()],_t.prototype,`budgets`,void 0),V([N()],_t.prototype,`now`,void 0),_t=V([j(`zai-overview`)],_t);var vt=class extends H{constructor(...e){super(...e),this.found=null}static{this.styles=[H.styles,o`
      ul {
        padding: 0;
        list-style: none;
      }
      li {
        padding-inline-start: 12px;
        border-inline-start: 4px solid var(--zai-quiet);
      }
      li.ok {
        border-color: var(--zai-good);
      }
      li.problem {
        border-color: var(--zai-bad);
      }
    `]}render(){let{texts:e,found:t}=this;return C`<section class="card" aria-labelledby="title">
      <h2 id="title">${e(`finding.title`)}</h2>
      <p class="quiet">${e(`finding.intro`)}</p>
      <button ?disabled=${this.busy} @click=${()=>this.check()}>
        ${e(this.busy?`finding.checking`:`finding.check`)}
      </button>
      ${this.errorLine()}
      <div role="status">
        ${t===null?T:C`<ul>
                ${t.findings.map(({code:t,level:n,values:r})=>C`<li class=${n}>${e(`finding.${t}`,r)}</li>`)}
              </ul>`}
      </div>
      ${t===null?T:this.details(t)}
    </section>`}details({interfaces:e,packets:t}){let{texts:n,language:r}=this,i=e=>n(e?`finding.yes`:`finding.no`);return C`<details>
      <summary>${n(`finding.details`)}</summary>
      <div class="scroll" tabindex="0">
        <table>
          <caption>
            ${n(`finding.interfaces`)}
          </caption>
          <thead>
            <tr>
              <th scope="col">${n(`finding.interface`)}</th>
              <th scope="col">${n(`finding.addresses`)}</th>
              <th scope="col">${n(`finding.sent`)}</th>
              <th scope="col">${n(`finding.advertised`)}</th>
              <th scope="col" class="number">${n(`finding.hosts`)}</th>
              <th scope="col" class="number">${n(`finding.packets`)}</th>
            </tr>
          </thead>
          <tbody>
            ${e.map(e=>C`<tr>
                  <td>${e.name}</td>
                  <td>${e.addresses.join(`, `)}</td>
                  <td>${e.error??i(e.sent)}</td>
                  <td>${i(e.advertised)}</td>
                  <td class="number">${z(e.hosts,r)}</td>
                  <td class="number">${z(e.packets,r)}</td>
                </tr>`)}
          </tbody>
        </table>
      </div>
      ${t.length===0?T:C`<div class="scroll" tabindex="0">
              <table>
                <caption>
                  ${n(`finding.last_packets`)}
                </caption>
                <thead>
                  <tr>
                    <th scope="col">${n(`finding.when`)}</th>
                    <th scope="col">${n(`finding.from`)}</th>
                    <th scope="col">${n(`finding.interface`)}</th>
                    <th scope="col">${n(`finding.about`)}</th>
                  </tr>
                </thead>
                <tbody>
                  ${t.map(e=>C`<tr>
                        <td>${B(e.when,r)}</td>
                        <td>${e.address}</td>
                        <td>${e.interface}</td>
                        <td>
                          ${n(e.query?`finding.asks`:`finding.answers`,{kinds:e.kinds.join(`, `)})}
                        </td>
                      </tr>`)}
                </tbody>
              </table>
            </div>`}
    </details>`}check(){return this.run(async()=>{this.found=await this.api.finding.checkDiscovery()})}};V([N()],vt.prototype,`found`,void 0),vt=V([j(`zai-discovery-check`)],vt);var yt=12,bt=5,xt=class extends H{constructor(...e){super(...e),this.dragged=null,this.checking=null}static{this.styles=[H.styles,o`
      li {
        list-style: none;
      }
      ul {
        margin: 0;
        padding: 0;
      }
      li[data-dragged] {
        opacity: 0.4;
      }
      .models span {
        border: 1px solid var(--zai-line);
        border-radius: 12px;
        padding: 2px 10px;
        font-size: 0.85rem;
      }
      .models .warm {
        border-color: var(--zai-good);
      }
      svg {
        width: 120px;
        height: 28px;
      }
      .order button {
        min-width: 40px;
        padding: 4px;
      }
    `]}get ordered(){return[...this.live?.members??[]].sort((e,t)=>Number(e.kind===`agent`)-Number(t.kind===`agent`)||e.priority-t.priority||e.name.localeCompare(t.name))}render(){let{texts:e}=this;if(this.live===null)return C`<p class="quiet">${e(`common.loading`)}</p>`;let t=this.ordered;return C`<div class="row spread below">
        <span class="quiet">${e(this.api.can.arrange?`providers.order`:`providers.order_configured`)}</span>
        ${this.api.settings?C`<a href=${this.api.settings}>${e(`providers.add`)}</a>`:T}
      </div>
      ${this.errorLine()}
      <ul>
        ${q(t,e=>e.id,(e,n)=>this.member(e,n,t))}
      </ul>
      <zai-discovery-check .api=${this.api} .texts=${e} .language=${this.language}></zai-discovery-check>`}member(e,t,n){let{texts:r,language:i}=this;return C`<li
      class="card"
      draggable=${this.api.can.arrange?`true`:`false`}
      ?data-dragged=${this.dragged===e.id}
      @dragstart=${()=>this.dragged=e.id}
      @dragend=${()=>this.dragged=null}
      @dragover=${e=>e.preventDefault()}
      @drop=${()=>this.drop(t,n)}
    >
      <div class="row spread">
        <div class="row">
          <b>${e.name}</b>
          <span class="badge ${e.state}">${r(`states.${e.known?e.state:`unknown`}`)}</span>
          <span class="quiet">${r(e.kind===`agent`?`providers.agent`:`costs.${e.cost}`)}</span>
        </div>
        ${this.api.can.arrange?this.arrows(e,t,n):T}
      </div>
      ${e.reason?C`<p class="error">${e.reason}</p>`:T}
      <div class="row around">
        <span>
          ${r(`providers.running`)}:
          ${z(e.running,i)}${e.limit===null?T:C` / ${z(e.limit,i)}`}${e.waiting?`, ${r(`overview.waiting`,{count:e.waiting})}`:``}
        </span>
        ${e.latency_ms===null?T:C`<span>${r(`providers.latency`)}: ${et(e.latency_ms,i)}</span>
                ${St(e.latencies_ms)}`}
        <span>${r(`overview.requests_today`)}: ${z(e.requests_today,i)}</span>
        ${R(e.cost_today,i)?C`<span>${r(`providers.cost_today`)}: ${R(e.cost_today,i)}</span>`:T}
      </div>
      <div class="row models">${this.models(e)}</div>
      <div class="row above">
        ${this.api.can.arrange?C`<button
                ?disabled=${this.busy}
                @click=${()=>this.run(()=>this.api.useProvider(e.id,!e.enabled))}
              >
                ${r(e.enabled?`providers.disable`:`providers.enable`)}
              </button>`:T}
        ${e.kind===`agent`?T:C`<button ?disabled=${this.checking!==null} @click=${()=>this.check(e.id)}>
                ${r(this.checking===e.id?`providers.checking`:`providers.check`)}
              </button>`}
      </div>
    </li>`}arrows(e,t,n){let{texts:r}=this;return C`<div class="row order">
      <button
        ?disabled=${n[t-1]?.kind!==e.kind||this.busy}
        aria-label=${r(`providers.up`,{name:e.name})}
        @click=${()=>this.move(t,t-1,n)}
      >
        ↑
      </button>
      <button
        ?disabled=${n[t+1]?.kind!==e.kind||this.busy}
        aria-label=${r(`providers.down`,{name:e.name})}
        @click=${()=>this.move(t,t+1,n)}
      >
        ↓
      </button>
    </div>`}models(e){if(e.models.length===0)return C`<span class="quiet">${this.texts(`providers.no_models`)}</span>`;let t=e.models_total-Math.min(yt,e.models.length);return C`${e.models.slice(0,yt).map(e=>C`<span class=${e.warm?`warm`:``}
            >${e.id}${e.warm?` (${this.texts(`providers.warm`)})`:``}</span
          >`)}${t>0?C`<span class="quiet">${this.texts(`providers.more_models`,{count:t})}</span>`:T}`}async check(e){this.checking=e,await this.run(()=>this.api.checkProvider(e)),this.checking=null}drop(e,t){let n=t.findIndex(e=>e.id===this.dragged);this.dragged=null,n>=0&&this.move(n,e,t)}move(e,t,n){let r=n.map(e=>e.id),[i]=r.splice(e,1);return i===void 0||e===t||n[t]?.kind!==n[e]?.kind?Promise.resolve():(r.splice(t,0,i),this.run(()=>this.api.orderProviders(r)))}};V([N()],xt.prototype,`dragged`,void 0),V([N()],xt.prototype,`checking`,void 0),xt=V([j(`zai-providers`)],xt);function St(e){if(e.length<bt)return T;let t=Math.max(...e,1);return C`<svg viewBox="0 0 120 28" aria-hidden="true">
    ${Ce`<polyline points=${e.map((n,r)=>`${r/(e.length-1)*120},${27-n/t*26}`).join(` `)} fill="none" stroke="currentColor" stroke-width="1.5" />`}
  </svg>`}var Z=class extends H{constructor(...e){super(...e),this.records=[],this.next=null,this.filter={},this.open=null,this.loaded=!1}connectedCallback(){super.connectedCallback(),this.load({})}load(e){return this.filter=e,this.run(async()=>{let t=await this.api.requests(e,null);e===this.filter&&(this.records=t.requests,this.next=t.next,this.loaded=!0)})}more(){let{filter:e,next:t}=this;return this.run(async()=>{let n=await this.api.requests(e,t);e===this.filter&&(this.records=[...this.records,...n.requests],this.next=n.next)})}pick(e){let t=Object.entries({...this.filter,...e}).filter(([,e])=>e!==void 0&&e!==``);this.load(Object.fromEntries(t))}render(){let{texts:e}=this,t=this.live?.members??[];return C`<div class="card row">
        <label
          >${e(`requests.outcome`)}
          <select
            @change=${e=>this.pick({outcome:e.target.value||void 0})}
          >
            <option value="">${e(`requests.any`)}</option>
            ${[`ok`,`error`,`cancelled`].map(t=>C`<option value=${t}>${e(`requests.${t}`)}</option>`)}
          </select>
        </label>
        ${t.length?C`<label
                >${e(`requests.provider`)}
                <select
                  @change=${e=>this.pick({backend_id:e.target.value||void 0})}
                >
                  <option value="">${e(`requests.any`)}</option>
                  ${t.map(e=>C`<option value=${e.id}>${e.name}</option>`)}
                </select>
              </label>`:T}
        <label
          >${e(`requests.model`)}
          <input
            type="search"
            @change=${e=>this.pick({model:e.target.value.trim()||void 0})}
          />
        </label>
        <label
          >${e(`requests.find_id`)}
          <input
            type="search"
            maxlength="200"
            @change=${e=>this.pick({request_id:e.target.value.trim()||void 0})}
          />
        </label>
        <label
          >${e(`requests.label`)}
          <input
            type="search"
            maxlength="50"
            @change=${e=>this.pick({label:e.target.value.trim()||void 0})}
          />
        </label>
        <button @click=${()=>this.load({...this.filter})}>${e(`requests.refresh`)}</button>
      </div>
      ${this.errorLine()}
      ${this.records.length===0?C`<div class="card quiet">${e(this.loaded?`requests.empty`:`common.loading`)}</div>`:this.list()}`}list(){let{texts:e,language:t}=this;return C`<div class="card scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${e(`requests.when`)}</th>
            <th scope="col">${e(`requests.who`)}</th>
            <th scope="col">${e(`requests.model`)}</th>
            <th scope="col">${e(`requests.provider`)}</th>
            <th scope="col">${e(`requests.outcome`)}</th>
            <th scope="col" class="number">${e(`usage.tokens`)}</th>
            <th scope="col" class="number">${e(`usage.cost`)}</th>
            <th scope="col" class="number">${e(`requests.duration`)}</th>
          </tr>
        </thead>
        <tbody>
          ${q(this.records,e=>e.id+String(e.created),n=>C`<tr>
                  <td>
                    <button
                      aria-expanded=${this.open===n.id?`true`:`false`}
                      @click=${()=>this.open=this.open===n.id?null:n.id}
                    >
                      ${B(n.created,t)}
                    </button>
                  </td>
                  <td>${n.who||e(`sources.${n.source}`)}</td>
                  <td>${n.model??n.requested_model}</td>
                  <td>${n.backend_name??``}</td>
                  <td>${e(`requests.${n.outcome}`)}</td>
                  <td class="number">${z(n.tokens_prompt+n.tokens_completion,t)}</td>
                  <td class="number">${n.cost===null?``:L(n.cost,n.currency,t)}</td>
                  <td class="number">${et(n.duration_ms,t)}</td>
                </tr>
                ${this.open===n.id?this.detail(n):T}`)}
        </tbody>
      </table>
      ${this.next===null?T:C`<p><button ?disabled=${this.busy} @click=${()=>this.more()}>${e(`requests.more`)}</button></p>`}
    </div>`}detail(e){let{texts:t,language:n}=this,r=t=>t===null?null:L(t,e.currency,n),i=[[`requests.id`,e.id],[`requests.answer_id`,e.answer_id],[`requests.requested_model`,e.requested_model],[`requests.source`,t(`sources.${e.source}`)],[`requests.address`,e.address],[`requests.labels`,e.labels.join(`, `)||null],[`requests.provider_health`,e.provider_health&&t(`states.${e.provider_health}`)],[`requests.attempts`,e.attempts],[`requests.error_code`,e.error_code],[`requests.finish`,e.finish_reason],[`requests.prompt_tokens`,z(e.tokens_prompt,n)],[`requests.cached_tokens`,e.tokens_cached?z(e.tokens_cached,n):null],[`requests.answer_tokens`,z(e.tokens_completion,n)],[`requests.reasoning_tokens`,e.tokens_reasoning?z(e.tokens_reasoning,n):null],[`requests.prompt_cost`,r(e.cost_prompt)],[`requests.answer_cost`,r(e.cost_completion)],[`requests.total_cost`,r(e.cost)],[`requests.cost_source`,e.cost_source&&t(`cost_sources.${e.cost_source}`)],[`requests.first_token`,e.latency_ms===null?null:et(e.latency_ms,n)],[`requests.speed`,e.tokens_per_second]],a=e.latency_ms??e.duration_ms;return C`<tr>
      <td colspan="8">
        <div
          class="bar parts"
          role="img"
          aria-label=${t(`requests.waterfall`)}
          title=${t(`requests.waterfall`)}
        >
          <div class="quiet-part" .style=${`width: ${a/Math.max(1,e.duration_ms)*100}%`}></div>
          <div class="rest"></div>
        </div>
        <dl>
          ${i.filter(([,e])=>e!==null&&e!==``).map(([e,n])=>C`<dt class="quiet">${t(e)}</dt>
                  <dd>${n}</dd>`)}
          ${e.failed_attempts.length===0?T:C`<dt class="quiet">${t(`requests.failed_attempts`)}</dt>
                  <dd>
                    <ol>
                      ${e.failed_attempts.map(({backend_name:e,model:n,reason:r,code:i})=>C`<li>
                            ${t(`requests.failed_attempt`,{provider:e,model:n,reason:r||i||t(`usage.unknown`)})}
                          </li>`)}
                    </ol>
                  </dd>`}
        </dl>
      </td>
    </tr>`}};V([N()],Z.prototype,`records`,void 0),V([N()],Z.prototype,`next`,void 0),V([N()],Z.prototype,`filter`,void 0),V([N()],Z.prototype,`open`,void 0),V([N()],Z.prototype,`loaded`,void 0),Z=V([j(`zai-requests`)],Z);var Ct=(function(){let e=typeof document<`u`&&document.createElement(`link`).relList;return e&&e.supports&&e.supports(`modulepreload`)?`modulepreload`:`preload`})(),wt=function(e,t){return new URL(e,t).href},Tt={},Et={},Dt=function(e){return e.pathname.endsWith(`.css`)},Ot=function(e,t,n){if(t in e)return e[t];let r=n();if(!r){e[t]=void 0;return}let i=r.then(()=>{e[t]=void 0},n=>{throw delete e[t],n});return e[t]=i,i},kt=function(e,t,n){let r=Promise.resolve();if(t&&t.length>0){let e,i=document.querySelector(`meta[property=csp-nonce]`),a=i?.nonce||i?.getAttribute(`nonce`);function o(e){return Promise.all(e.map(e=>Promise.resolve(e).then(e=>({status:`fulfilled`,value:e}),e=>({status:`rejected`,reason:e}))))}function s(e){return import.meta.resolve?new URL(import.meta.resolve(e)):new URL(e,import.meta.url)}r=o(t.map(t=>{t=wt(t,n);let r=s(t),i=Dt(r);return Ot(Tt,r.href,()=>{if(e===void 0){e={all:new Set,styles:new Set};let t=document.getElementsByTagName(`link`);for(let n=t.length-1;n>=0;n--){let r=t[n];e.all.add(r.href),r.rel===`stylesheet`&&e.styles.add(r.href)}}let t=i?e.styles:e.all,n=i?Et[r.href]:void 0;if(!n&&t.has(r.href))return;let o=document.createElement(`link`);if(o.rel=i?`stylesheet`:Ct,i||(o.as=`script`),o.crossOrigin=``,o.href=r.href,a&&o.setAttribute(`nonce`,a),n&&delete Et[r.href],n?.isConnected?n.replaceWith(o):document.head.appendChild(o),i)return new Promise((e,t)=>{let n=i=>{o.removeEventListener(`load`,n),o.removeEventListener(`error`,n),i.type===`error`?(Et[r.href]=o,t(Error(`Unable to preload CSS for ${r}`))):e(i)};o.addEventListener(`load`,n),o.addEventListener(`error`,n)})})}).filter(e=>e!==void 0))}function i(e){let t=new Event(`vite:preloadError`,{cancelable:!0});if(t.payload=e,window.dispatchEvent(t),!t.defaultPrevented)throw e}return r.then(t=>{for(let e of t||[])e.status===`rejected`&&i(e.reason);return e().catch(i)})},At=[`model`,`backend`,`key`,`user`,`source`,`label`,`address`],jt={backend:`backend_name`,key:`key_name`,user:`user_name`},Q=class extends H{constructor(...e){super(...e),this.range=`month`,this.start=``,this.end=``,this.group=`model`,this.table=null,this.chart=null,this.sort=`requests`}static{this.styles=[H.styles,o`
      .chart {
        position: relative;
        height: 280px;
      }
      th button {
        border: 0;
        padding: 0;
        min-height: 0;
        background: none;
        color: inherit;
      }
    `]}connectedCallback(){super.connectedCallback(),this.select(this.range)}disconnectedCallback(){super.disconnectedCallback(),this.drawn?.destroy()}render(){let{texts:e}=this;return C`<div class="card row">
        <label
          >${e(`usage.range`)}
          <select @change=${e=>this.select(e.target.value)}>
            ${[`day`,`week`,`month`,`custom`].map(t=>C`<option value=${t} ?selected=${t===this.range}>${e(`usage.${t}`)}</option>`)}
          </select>
        </label>
        ${this.range===`custom`?C`<label
                  >${e(`usage.from`)}
                  <input
                    type="date"
                    .value=${this.start}
                    @change=${e=>this.pick({start:e.target.value})}
                /></label>
                <label
                  >${e(`usage.to`)}
                  <input
                    type="date"
                    .value=${this.end}
                    @change=${e=>this.pick({end:e.target.value})}
                /></label>`:T}
        <label
          >${e(`usage.by`)}
          <select
            @change=${e=>this.pick({group:e.target.value})}
          >
            ${At.map(t=>C`<option value=${t} ?selected=${t===this.group}>
                  ${e(`usage.group_${t}`)}
                </option>`)}
          </select>
        </label>
        <button ?disabled=${!this.table?.rows.length} @click=${()=>this.save(`csv`)}>CSV</button>
        <button ?disabled=${!this.table?.rows.length} @click=${()=>this.save(`json`)}>JSON</button>
      </div>
      ${this.errorLine()} ${this.report()}`}report(){let{table:e,texts:t,language:n}=this;return e===null?T:e.rows.length===0?C`<div class="card quiet">${t(`usage.empty`)}</div>`:C`${this.chart?C`<div class="card">
              <div class="chart">
                <canvas role="img" aria-label=${t(`usage.chart`,{from:e.start,to:e.end})}></canvas>
              </div>
            </div>`:T}
      <div class="card scroll" tabindex="0">
        <table>
          <thead>
            <tr>
              ${this.head(`name`,t(`usage.group_${this.group}`))} ${this.head(`requests`,t(`usage.requests`))}
              ${this.head(`tokens`,t(`usage.tokens`))} ${this.head(`cost`,t(`usage.cost`))}
            </tr>
          </thead>
          <tbody>
            ${this.sorted(e.rows).map(e=>C`<tr>
                  <td>${this.name(e)}</td>
                  <td class="number">${z(e.requests,n)}</td>
                  <td class="number">${z(Nt(e),n)}</td>
                  <td class="number">${R(e.cost,n)}</td>
                </tr>`)}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">${t(`usage.total`)}</th>
              <th class="number">${z(e.total.requests,n)}</th>
              <th class="number">${z(Nt(e.total),n)}</th>
              <th class="number">${R(e.total.cost,n)}</th>
            </tr>
          </tfoot>
        </table>
        ${this.group===`label`?C`<p class="quiet">${t(`usage.labels_overlap`)}</p>`:T}
        ${e.complete?T:C`<p class="quiet">${t(`usage.incomplete`)}</p>`}
      </div>`}head(e,t){return C`<th
      scope="col"
      class=${e===`name`?``:`number`}
      aria-sort=${this.sort===e?e===`name`?`ascending`:`descending`:`none`}
    >
      <button @click=${()=>this.sort=e}>${t}${this.sort===e?` ▾`:``}</button>
    </th>`}sorted(e){let t={requests:e=>e.requests,tokens:Nt,cost:e=>Object.values(e.cost).reduce((e,t)=>e+t,0)},{sort:n}=this;return[...e].sort((e,r)=>n===`name`?this.name(e).localeCompare(this.name(r)):t[n](r)-t[n](e))}name(e){let{group:t}=this,n=Mt(e[jt[t]??t])||Mt(e[t]);return t===`source`&&n?this.texts(`sources.${n}`):n||this.texts(t===`label`?`usage.no_label`:`usage.unknown`)}select(e){this.range=e;let t=new Date,n=new Date(t);e===`week`&&n.setDate(t.getDate()-6),e===`month`&&n.setDate(1),e!==`custom`&&this.pick({start:tt(n),end:tt(t)})}pick(e){this.start=e.start??this.start,this.end=e.end??this.end,this.group=e.group??this.group,this.start&&this.end&&this.run(()=>this.load())}async load(){let{start:e,end:t,group:n}=this,[r,i]=await Promise.all([this.api.usage(e,t,[n]),n===`address`||e===t?null:this.api.usage(e,t,[`day`,n])]);e===this.start&&t===this.end&&n===this.group&&(this.table=r,this.chart=i)}updated(e){e.has(`chart`)&&this.draw()}async draw(){this.drawn?.destroy();let{chart:e,canvas:t}=this;if(e===null||t===null)return;let{stackedBars:n}=await kt(async()=>{let{stackedBars:e}=await import(`./chart-CbWf389B.js`);return{stackedBars:e}},[],import.meta.url);t.isConnected&&(this.drawn=n(t,e.rows.map(e=>({x:Mt(e.day),name:this.name(e),value:e.requests}))))}save(e){let{table:t}=this;if(t===null)return;let n=e===`json`?JSON.stringify(t,null,2):Pt(t.rows),r=URL.createObjectURL(new Blob([n],{type:e===`json`?`application/json`:`text/csv`})),i=document.createElement(`a`);i.href=r,i.download=`usage-${t.start}-${t.end}.${e}`,i.click(),URL.revokeObjectURL(r)}};V([N()],Q.prototype,`range`,void 0),V([N()],Q.prototype,`start`,void 0),V([N()],Q.prototype,`end`,void 0),V([N()],Q.prototype,`group`,void 0),V([N()],Q.prototype,`table`,void 0),V([N()],Q.prototype,`chart`,void 0),V([N()],Q.prototype,`sort`,void 0),V([ze(`canvas`)],Q.prototype,`canvas`,void 0),Q=V([j(`zai-usage`)],Q);var Mt=e=>typeof e==`string`?e:``,Nt=e=>e.tokens_prompt+e.tokens_completion;function Pt(e){let t=e.map(({cost:e,...t})=>({...t,...Object.fromEntries(Object.entries(e).map(([e,t])=>[`cost_${e}`,t]))})),n=[...new Set(t.flatMap(e=>Object.keys(e)))],r=e=>{let t=typeof e==`number`?e.toString():Mt(e),n=/^[=+\-@\t\r]/.test(t)&&!/^-?[\d.]+$/.test(t)?`'${t}`:t;return/[",\r\n]/.test(n)?`"${n.replaceAll(`"`,`""`)}"`:n};return[n,...t.map(e=>n.map(t=>e[t]))].map(e=>e.map(r).join(`,`)).join(`\r
`)}var Ft=class extends H{constructor(...e){super(...e),this.plan=null,this.callers={keys:[],users:[]}}firstUpdated(){this.run(async()=>{this.api.can.records&&(this.callers=await this.api.routing.callers())})}render(){let{texts:e}=this,t=[...new Set((this.live?.members??[]).flatMap(e=>e.models.map(e=>e.id)))];return C`<form class="card" @submit=${e=>this.ask(e)}>
        <h2>${e(`why.title`)}</h2>
        <p class="quiet" id="hint">${e(`why.hint`)}</p>
        <label class="wide"
          >${e(`why.text`)}
          <textarea name="text" rows="5" required aria-describedby="hint" spellcheck="false"></textarea>
        </label>
        <div class="row above end">
          <label
            >${e(`requests.model`)}
            <input name="model" list="models" placeholder="auto" autocomplete="off" />
            <datalist id="models">${t.map(e=>C`<option value=${e}></option>`)}</datalist>
          </label>
          ${this.askers()}
          <button class="main" ?disabled=${this.busy}>${e(`why.ask`)}</button>
        </div>
      </form>
      ${this.errorLine()} ${this.plan?this.answer(this.plan):T}`}askers(){let{texts:e}=this,{keys:t,users:n}=this.callers;if(t.length+n.length===0)return T;let r=(t,n)=>n.length===0?T:C`<optgroup label=${e(`why.${t}s`)}>
            ${n.map(({id:e,name:n})=>C`<option value=${`${t}_id:${e}`}>${n}</option>`)}
          </optgroup>`;return C`<label
      >${e(`why.as`)}
      <select name="asker">
        <option value="">${e(`why.anybody`)}</option>
        ${r(`key`,t)} ${r(`user`,n)}
      </select>
    </label>`}answer(e){let{texts:t}=this;return C`<div class="card" role="status">
      <p class="quiet">
        ${t(`why.form_${e.form}`,{model:e.requested_model})}
        ${e.asker?t(`why.asked_as`,{name:e.asker}):T}
        ${e.needs.length>0?t(`why.needs`,{needs:e.needs.map(e=>t(`needs.${e}`)).join(`, `)}):T}
      </p>
      ${e.error?C`<p class="error">${e.error}</p>`:T} ${this.candidates(e)}
      ${e.rejections.length?C`<h2>${t(`why.not`)}</h2>
              <ul>
                ${e.rejections.map(e=>C`<li>${e.backend?C`<b>${e.backend}</b>: `:T}${e.reason}</li>`)}
              </ul>`:T}
    </div>`}candidates(e){let{texts:t,language:n}=this;return e.candidates.length===0?T:C`<p>
        ${t(`why.order`,{strategy:t(`strategies.${e.strategy}`),tokens:z(e.prompt_tokens,n)})}
      </p>
      <ol>
        ${e.candidates.map(e=>C`<li>
              <b>${e.backend}</b> · ${e.model}
              <span class="quiet">
                ${e.most===null||e.currency===null?t(`costs.${e.cost}`):t(`why.most`,{cost:L(e.most,e.currency,n)})}
                · ${t(`providers.running`)}:
                ${z(e.running,n)}${e.limit===null?T:C` / ${z(e.limit,n)}`}
                ${e.now?T:C` · ${t(`why.last_resort`)}`}
              </span>
            </li>`)}
      </ol>`}ask(e){e.preventDefault();let t=new FormData(e.target),n=U(t,`model`),[r,i]=U(t,`asker`).split(/:(.*)/s);this.run(async()=>{this.plan=null,this.plan=await this.api.routing.why({text:U(t,`text`),...n&&{model:n},...r&&i?{[r]:i}:{}})})}};V([N()],Ft.prototype,`plan`,void 0),V([N()],Ft.prototype,`callers`,void 0),Ft=V([j(`zai-why`)],Ft);var It=[`overview`,`providers`,`usage`,`requests`,`keys`,`budgets`,`models`,`why`],Lt=[`usage`,`requests`,`keys`],Rt=[`overview`,`providers`,`models`,`why`],$=class extends A{constructor(...e){super(...e),this.language=`en`,this.tab=``,this.narrow=!1,this.live=null,this.connected=!0}static{this.styles=[I,o`
      :host {
        max-width: 1200px;
        margin: 0 auto;
        padding: 16px;
      }
      nav {
        display: flex;
        gap: 4px;
        overflow-x: auto;
        margin-bottom: 16px;
        border-bottom: 1px solid var(--zai-line);
      }
      nav a {
        padding: 12px;
        color: var(--zai-quiet);
        text-decoration: none;
        white-space: nowrap;
        border-bottom: 3px solid transparent;
      }
      nav a[aria-current] {
        color: var(--zai-text);
        border-color: var(--zai-accent);
        font-weight: 500;
      }
      nav a:focus-visible {
        outline-offset: -2px;
      }
    `]}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.subscribe()}disconnectedCallback(){super.disconnectedCallback(),this.end?.(),this.end=void 0}firstUpdated(){this.subscribe()}subscribe(){this.api.isAdmin&&(this.end=this.api.live(e=>this.live=e,e=>this.connected=e))}get tabs(){return this.api.isAdmin?this.api.can.records?It:Rt:Lt}render(){let{tabs:e,texts:t}=this,n=e.find(e=>e===this.tab)??e[0];return C`<nav aria-label=${t(`common.tabs`)}>
        ${e.map(e=>C`<a href=${this.api.link(e)} aria-current=${e===n?`page`:T}
              >${t(`tabs.${e}`)}</a
            >`)}
      </nav>
      <div>${this.connected?T:Xe(t(`common.reconnecting`),`warning`)}</div>
      <main>${this.view(n??`usage`)}</main>`}view(e){let{api:t,texts:n,live:r,language:i,narrow:a}=this;switch(e){case`overview`:return C`<zai-overview .api=${t} .texts=${n} .live=${r} .language=${i}></zai-overview>`;case`providers`:return C`<zai-providers .api=${t} .texts=${n} .live=${r} .language=${i}></zai-providers>`;case`usage`:return C`<zai-usage .api=${t} .texts=${n} .language=${i} .narrow=${a}></zai-usage>`;case`requests`:return C`<zai-requests .api=${t} .texts=${n} .live=${r} .language=${i}></zai-requests>`;case`keys`:return C`<zai-keys .api=${t} .texts=${n} .language=${i}></zai-keys>`;case`budgets`:return C`<zai-budgets .api=${t} .texts=${n} .live=${r} .language=${i}></zai-budgets>`;case`models`:return C`<zai-models .api=${t} .texts=${n} .live=${r} .language=${i}></zai-models>`;case`why`:return C`<zai-why .api=${t} .texts=${n} .live=${r} .language=${i}></zai-why>`}}};V([M({attribute:!1})],$.prototype,`api`,void 0),V([M({attribute:!1})],$.prototype,`texts`,void 0),V([M()],$.prototype,`language`,void 0),V([M()],$.prototype,`tab`,void 0),V([M({type:Boolean})],$.prototype,`narrow`,void 0),V([N()],$.prototype,`live`,void 0),V([N()],$.prototype,`connected`,void 0),$=V([j(`zai-page`)],$);export{C as _,Ye as a,Ge as c,Ve as d,N as f,T as g,A as h,$e as i,Ue as l,j as m,V as n,Ke as o,M as p,I as r,We as s,U as t,He as u,o as v};