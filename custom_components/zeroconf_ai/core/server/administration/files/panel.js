import{C as e,S as t,_ as n,a as r,b as i,c as a,d as o,i as s,l as c,n as l,o as u,p as d,s as f,u as p,v as m,w as h,x as g,y as _}from"./page-BQCZiwyF.js";var v=e=>({settings:()=>e(`alerts`),change:t=>e(`alerts/set`,{...t}),test:async()=>(await e(`alerts/test`)).deliveries}),y=`/zeroconf-ai`,b=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.alerts=v((e,t)=>this.ask(e,t)),this.records=f((e,t)=>this.ask(e,t)),this.routing=u((e,t)=>this.ask(e,t)),this.serverModels=c((e,t)=>this.ask(e,t)),this.finding=p((e,t)=>this.ask(e,t),async e=>{let t=await this.hass.connection.subscribeMessage(e,{type:`zeroconf_ai/discovered`});return()=>void t()},async(e,t)=>{let n;try{return await new Promise((r,i)=>{t.addEventListener(`abort`,()=>i(new d(`ended`,`The search was ended.`))),this.hass.connection.subscribeMessage(t=>{`found`in t?r(t.found):`failed`in t?i(new d(`scan_failed`,t.failed)):e(t.progress)},{type:`zeroconf_ai/discovery/scan`}).then(e=>n=e,i)})}finally{n?.()}}),this.chat=new o(e,(e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return n(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(this.isAdmin?`keys/create`:`keys/create_own`,{...e})}updateKey(e,t){return this.ask(this.isAdmin?`keys/update`:`keys/update_own`,{key_id:e,...t})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){let e=await this.ask(`budgets`);return e.budgets.map(t=>({...t,currency:e.currency}))}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}get flows(){return new a(this.hass)}link(e){return`${y}/${e}`}async ask(e,t={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${e}`,...t})}catch(e){let{code:t,message:n}=e;throw new d(t??`failed`,n??`The command failed.`)}}},x=300,S=`component.zeroconf_ai.config_panel.`,C=class extends g{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.ready=!1,this.language=``,this.texts=(e,t)=>this.hass.localize(S+e,t)||e}static{this.styles=h`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `}connectedCallback(){super.connectedCallback(),r(x).then(()=>this.ready=!0)}willUpdate(e){if(e.has(`hass`)&&(this.api??=new b(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return e`<header>
        ${this.ready?s(this.hass,this.narrow,this.texts(`common.menu`)):t}
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded&&this.ready?e`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.replace(/^\//,``)}
            ></zai-page>`:t}`}};l([_({attribute:!1})],C.prototype,`hass`,void 0),l([_({attribute:!1})],C.prototype,`route`,void 0),l([_({type:Boolean})],C.prototype,`narrow`,void 0),l([m()],C.prototype,`loaded`,void 0),l([m()],C.prototype,`ready`,void 0),C=l([i(`zeroconf-ai-panel`)],C);